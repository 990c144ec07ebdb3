//! `inet` and `cidr`. <https://www.postgresql.org/docs/16/datatype-net-types.html>
//!
//! Kept as the family, the bits of the network, and the address. The bits of the network come two for
//! each, `10` or `11`, and then `00`: the shorter of two networks that begin alike is first, as
//! `network_cmp_internal` in network.c has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::{bad_binary, damaged, too_short};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input::name_of;
use crate::types::oid;

/// `PGSQL_AF_INET` and `PGSQL_AF_INET6`.
const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 3;

/// An address and the length of its network.
struct Network {
    address: Vec<u8>,
    n_bits: u8,
}

/// As `network_in`.
pub(super) fn from_text(text: &str, pg_oid: u32) -> Result<Vec<u8>> {
    let invalid = || {
        let name = name_of(pg_oid);
        let message = format!("invalid input syntax for type {name}: \"{text}\"");
        Error::new(ErrorKind::InvalidTextRepresentation, message)
    };
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let (address, n_default) = address_of(address, pg_oid, length.is_some()).ok_or_else(invalid)?;
    let n_bits = match length {
        Some(length) => bits(length).ok_or_else(invalid)?,
        None => n_default,
    };
    if usize::from(n_bits) > 8 * address.len() {
        return Err(invalid());
    }
    let network = Network { address, n_bits };
    if pg_oid == oid::CIDR && !network.has_no_host() {
        let message = format!("invalid cidr value: \"{text}\"");
        let detail = "Value has bits set to right of mask.";
        let error = Error::new(ErrorKind::InvalidTextRepresentation, message);
        return Err(error.with_detail(detail));
    }
    Ok(network.kept())
}

/// The bytes of an address, and the length of its network if none is named.
fn address_of(text: &str, pg_oid: u32, has_length: bool) -> Option<(Vec<u8>, u8)> {
    if text.contains(':') {
        let address: Ipv6Addr = text.parse().ok()?;
        return Some((address.octets().to_vec(), 128));
    }
    let parts: Vec<&str> = text.split('.').collect();
    // inet_net_pton_ipv4 takes leading zeros; at most four parts, fewer of a network alone.
    let is_short = parts.len() < 4;
    if parts.len() > 4 || (is_short && pg_oid == oid::INET && !has_length) {
        return None;
    }
    let mut address = Vec::with_capacity(4);
    for part in &parts {
        let are_digits = !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        address.push(part.parse::<u8>().ok().filter(|_| are_digits)?);
    }
    let n_given = u8::try_from(8 * parts.len()).ok()?;
    address.resize(4, 0);
    let n_default = match pg_oid {
        oid::CIDR => n_given.max(class_bits(address[0])),
        _ => n_given,
    };
    Some((address, n_default))
}

/// The length of the network that an address has by its class (`inet_cidr_pton_ipv4`).
fn class_bits(first: u8) -> u8 {
    match first {
        240.. => 32,
        224..=239 => 8,
        192..=223 => 24,
        128..=191 => 16,
        _ => 8,
    }
}

fn bits(text: &str) -> Option<u8> {
    let are_digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| are_digits)
}

/// As `network_out`; cidr always names the length.
pub(super) fn text(out: &mut BytesMut, kept: &[u8], pg_oid: u32) -> Result<()> {
    let network = Network::of(kept)?;
    let address = match *network.address.as_slice() {
        [a, b, c, d] => IpAddr::from(Ipv4Addr::new(a, b, c, d)),
        _ => {
            let octets: [u8; 16] = network
                .address
                .as_slice()
                .try_into()
                .map_err(|_| damaged())?;
            IpAddr::from(octets)
        }
    };
    out.put_slice(address.to_string().as_bytes());
    if pg_oid == oid::CIDR || usize::from(network.n_bits) != 8 * network.address.len() {
        out.put_slice(format!("/{}", network.n_bits).as_bytes());
    }
    Ok(())
}

/// As `network_recv`.
pub(super) fn receive(bytes: &[u8], pg_oid: u32) -> Result<Vec<u8>> {
    let name = name_of(pg_oid);
    let bad = |part: &str| bad_binary(&format!("invalid {part} in external \"{name}\" value"));
    let [family, n_bits, _is_cidr, length, address @ ..] = bytes else {
        return Err(too_short());
    };
    let n_expected = match *family {
        FAMILY_4 => 4,
        FAMILY_6 => 16,
        _ => return Err(bad("address family")),
    };
    if usize::from(*n_bits) > 8 * n_expected {
        return Err(bad("bits"));
    }
    if usize::from(*length) != n_expected {
        return Err(bad("length"));
    }
    if address.len() < n_expected {
        return Err(too_short());
    }
    let network = Network {
        address: address[..n_expected].to_vec(),
        n_bits: *n_bits,
    };
    if pg_oid == oid::CIDR && !network.has_no_host() {
        let detail = "Value has bits set to right of mask.";
        return Err(bad_binary("invalid external \"cidr\" value").with_detail(detail));
    }
    Ok(network.kept())
}

pub(super) fn send(out: &mut BytesMut, kept: &[u8], pg_oid: u32) -> Result<()> {
    let network = Network::of(kept)?;
    out.put_u8(network.family());
    out.put_u8(network.n_bits);
    out.put_u8(u8::from(pg_oid == oid::CIDR));
    out.put_u8(u8::try_from(network.address.len()).map_err(Error::internal)?);
    out.put_slice(&network.address);
    Ok(())
}

impl Network {
    fn family(&self) -> u8 {
        match self.address.len() {
            4 => FAMILY_4,
            _ => FAMILY_6,
        }
    }

    fn bit(&self, index: usize) -> bool {
        self.address[index / 8] >> (7 - index % 8) & 1 == 1
    }

    /// Whether no bit is set behind those of the network (`addressOK`).
    fn has_no_host(&self) -> bool {
        let n_bits = 8 * self.address.len();
        (usize::from(self.n_bits)..n_bits).all(|index| !self.bit(index))
    }

    fn kept(&self) -> Vec<u8> {
        let pairs = (0..usize::from(self.n_bits)).map(|index| 0b10 | u8::from(self.bit(index)));
        let pairs: Vec<u8> = pairs.chain([0]).collect();
        let mut kept = vec![self.family()];
        for four in pairs.chunks(4) {
            let packed = four.iter().fold(0, |packed, pair| packed << 2 | pair);
            kept.push(packed << (2 * (4 - four.len())));
        }
        kept.extend(&self.address);
        kept
    }

    fn of(kept: &[u8]) -> Result<Self> {
        let (family, rest) = kept.split_first().ok_or_else(damaged)?;
        let n_address = if *family == FAMILY_4 { 4 } else { 16 };
        let n_packed = rest.len().checked_sub(n_address).ok_or_else(damaged)?;
        let (packed, address) = rest.split_at(n_packed);
        let pairs = packed
            .iter()
            .flat_map(|four| [6, 4, 2, 0].map(|shift| four >> shift & 0b11));
        let n_bits = pairs.take_while(|pair| *pair != 0).count();
        Ok(Self {
            address: address.to_vec(),
            n_bits: u8::try_from(n_bits).map_err(|_| damaged())?,
        })
    }
}

/// The network of an address.
pub(super) fn without_host(kept: &[u8]) -> Result<Vec<u8>> {
    let mut network = Network::of(kept)?;
    for index in usize::from(network.n_bits)..8 * network.address.len() {
        network.address[index / 8] &= !(1 << (7 - index % 8));
    }
    Ok(network.kept())
}
