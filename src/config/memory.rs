//! How much memory the gateway takes, and for what, as flags say it.

use clap::Args;

/// The least that is needed to know tables by, in MiB.
const METADATA_MIB_MIN: usize = 16;

/// How much memory.
#[derive(Debug, Args)]
pub struct MemoryArguments {
    /// Memory for all running statements together, in MiB [default: 60 % of what the machine has]
    #[arg(long, env = "LAKEGATE_MEMORY_MIB", value_name = "MIB")]
    pub memory_mib: Option<usize>,

    /// Memory for the answers of statements, kept while what they read does not change, in MiB; 0 keeps none [default: 10 % of what the machine has]
    #[arg(long, env = "LAKEGATE_CACHE_MIB", value_name = "MIB")]
    pub cache_mib: Option<usize>,

    /// Memory for what is known of tables: snapshots of logs and footers of files, in MiB, at least 16 [default: 5 % of what the machine has]
    #[arg(long, env = "LAKEGATE_METADATA_MIB", value_name = "MIB")]
    pub metadata_mib: Option<usize>,
}

/// How much memory for what, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemoryConfig {
    /// What all running statements together may hold.
    pub statements_bytes_max: usize,
    /// For answers that are kept; 0 for none.
    pub answers_bytes_max: usize,
    /// For what is known of tables.
    pub metadata_bytes_max: usize,
}

impl MemoryArguments {
    /// The checked configuration.
    pub(super) fn check(&self) -> Result<MemoryConfig, String> {
        let bytes = |mib: usize| mib.saturating_mul(1 << 20);
        let statements_bytes_max = match self.memory_mib {
            Some(0) => return Err("--memory-mib must be at least 1".to_owned()),
            Some(mib) => bytes(mib),
            None => available_memory() / 10 * 6,
        };
        let metadata_bytes_max = match self.metadata_mib {
            Some(..METADATA_MIB_MIN) => {
                return Err(format!(
                    "--metadata-mib must be at least {METADATA_MIB_MIN}"
                ));
            }
            Some(mib) => bytes(mib),
            None => (available_memory() / 20).max(bytes(METADATA_MIB_MIN)),
        };
        Ok(MemoryConfig {
            statements_bytes_max,
            answers_bytes_max: self
                .cache_mib
                .map_or_else(|| available_memory() / 10, bytes),
            metadata_bytes_max,
        })
    }
}

/// Bytes of memory this process may use: the machine's, or its control group's where that is less.
fn available_memory() -> usize {
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    let machine = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| {
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: usize = total.trim().trim_end_matches(" kB").parse().ok()?;
        kib.checked_mul(1 << 10)
    });
    // Where neither can be read, 2 GiB: what the smallest machines of the clouds have.
    [group, machine]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(2 << 30)
}
