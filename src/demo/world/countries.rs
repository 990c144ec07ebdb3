//! The countries in which users live, a tabular list.

/// A country.
pub(crate) struct Country {
    /// ISO 3166-1 alpha-2.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) continent: &'static str,
    /// About 2025.
    pub(crate) population: i64,
    /// What its users pay in.
    pub(crate) currency: &'static str,
    /// How many users live there, compared with other countries.
    pub(crate) weight: i64,
    /// Hundredths of a degree, of the first city.
    pub(crate) latitude: i64,
    pub(crate) longitude: i64,
    pub(crate) cities: &'static [&'static str],
}

const fn country(
    (code, name, continent): (&'static str, &'static str, &'static str),
    population: i64,
    (currency, weight): (&'static str, i64),
    (latitude, longitude): (i64, i64),
    cities: &'static [&'static str],
) -> Country {
    Country {
        code,
        name,
        continent,
        population,
        currency,
        weight,
        latitude,
        longitude,
        cities,
    }
}

const AF: &str = "Africa";
const AM: &str = "North America";
const AS: &str = "Asia";
const EU: &str = "Europe";
const OC: &str = "Oceania";
const SA: &str = "South America";

/// Every country of the lake.
#[rustfmt::skip]
pub(crate) const COUNTRIES: [Country; 40] = [
    country(("AR", "Argentina", SA), 45_700_000, ("USD", 10), (-3460, -5838), &["Buenos Aires", "Córdoba", "Rosario"]),
    country(("AT", "Austria", EU), 9_200_000, ("EUR", 45), (4821, 1637), &["Wien", "Graz", "Linz", "Salzburg"]),
    country(("AU", "Australia", OC), 27_200_000, ("USD", 25), (-3387, 15121), &["Sydney", "Melbourne", "Perth"]),
    country(("BE", "Belgium", EU), 11_800_000, ("EUR", 22), (5085, 435), &["Bruxelles", "Antwerpen", "Gent"]),
    country(("BR", "Brazil", SA), 212_000_000, ("USD", 30), (-2355, -4663), &["São Paulo", "Rio de Janeiro", "Brasília"]),
    country(("CA", "Canada", AM), 41_000_000, ("USD", 35), (4365, -7938), &["Toronto", "Montréal", "Vancouver"]),
    country(("CH", "Switzerland", EU), 9_000_000, ("CHF", 50), (4738, 854), &["Zürich", "Genève", "Basel", "Bern"]),
    country(("CL", "Chile", SA), 19_700_000, ("USD", 8), (-3345, -7067), &["Santiago", "Valparaíso"]),
    country(("CN", "China", AS), 1_409_000_000, ("USD", 20), (3123, 12147), &["Shanghai", "Beijing", "Shenzhen"]),
    country(("CO", "Colombia", SA), 52_900_000, ("USD", 8), (471, -7407), &["Bogotá", "Medellín"]),
    country(("CZ", "Czechia", EU), 10_900_000, ("EUR", 18), (5008, 1444), &["Praha", "Brno"]),
    country(("DE", "Germany", EU), 83_500_000, ("EUR", 190), (5252, 1341), &["Berlin", "Hamburg", "München", "Köln", "Leipzig"]),
    country(("DK", "Denmark", EU), 6_000_000, ("EUR", 14), (5568, 1257), &["København", "Aarhus"]),
    country(("EG", "Egypt", AF), 107_000_000, ("USD", 8), (3004, 3124), &["Cairo", "Alexandria"]),
    country(("ES", "Spain", EU), 49_000_000, ("EUR", 55), (4042, -370), &["Madrid", "Barcelona", "Sevilla"]),
    country(("FI", "Finland", EU), 5_600_000, ("EUR", 14), (6017, 2494), &["Helsinki", "Tampere"]),
    country(("FR", "France", EU), 68_500_000, ("EUR", 85), (4886, 235), &["Paris", "Lyon", "Marseille", "Lille"]),
    country(("GB", "United Kingdom", EU), 69_000_000, ("GBP", 80), (5151, -13), &["London", "Manchester", "Edinburgh"]),
    country(("GR", "Greece", EU), 10_400_000, ("EUR", 10), (3798, 2373), &["Athina", "Thessaloniki"]),
    country(("HU", "Hungary", EU), 9_600_000, ("EUR", 8), (4750, 1904), &["Budapest", "Szeged"]),
    country(("IE", "Ireland", EU), 5_400_000, ("EUR", 12), (5335, -626), &["Dublin", "Cork"]),
    country(("IN", "India", AS), 1_450_000_000, ("USD", 40), (1908, 7288), &["Mumbai", "Bengaluru", "Delhi"]),
    country(("IT", "Italy", EU), 58_900_000, ("EUR", 50), (4189, 1248), &["Roma", "Milano", "Napoli"]),
    country(("JP", "Japan", AS), 123_800_000, ("JPY", 30), (3569, 13969), &["東京", "大阪", "京都"]),
    country(("KE", "Kenya", AF), 53_300_000, ("USD", 6), (-129, 3682), &["Nairobi", "Mombasa"]),
    country(("KR", "South Korea", AS), 51_700_000, ("USD", 14), (3757, 12698), &["Seoul", "Busan"]),
    country(("LI", "Liechtenstein", EU), 40_000, ("CHF", 2), (4714, 952), &["Vaduz"]),
    country(("LU", "Luxembourg", EU), 670_000, ("EUR", 4), (4961, 613), &["Luxembourg"]),
    country(("MX", "Mexico", AM), 130_000_000, ("USD", 18), (1943, -9913), &["Ciudad de México", "Guadalajara"]),
    country(("NG", "Nigeria", AF), 228_000_000, ("USD", 8), (652, 338), &["Lagos", "Abuja"]),
    country(("NL", "Netherlands", EU), 18_000_000, ("EUR", 40), (5237, 490), &["Amsterdam", "Rotterdam", "Utrecht"]),
    country(("NO", "Norway", EU), 5_600_000, ("EUR", 12), (5991, 1075), &["Oslo", "Bergen"]),
    country(("NZ", "New Zealand", OC), 5_300_000, ("USD", 6), (-3685, 17476), &["Auckland", "Wellington"]),
    country(("PL", "Poland", EU), 36_600_000, ("PLN", 35), (5223, 2101), &["Warszawa", "Kraków", "Łódź"]),
    country(("PT", "Portugal", EU), 10_700_000, ("EUR", 16), (3872, -914), &["Lisboa", "Porto"]),
    country(("RO", "Romania", EU), 19_000_000, ("EUR", 10), (4443, 2610), &["București", "Cluj-Napoca"]),
    country(("SE", "Sweden", EU), 10_600_000, ("SEK", 20), (5933, 1807), &["Stockholm", "Göteborg", "Malmö"]),
    country(("TR", "Türkiye", AS), 85_600_000, ("USD", 12), (4101, 2898), &["İstanbul", "Ankara"]),
    country(("US", "United States", AM), 340_000_000, ("USD", 150), (4071, -7401), &["New York", "Chicago", "Austin", "Seattle"]),
    country(("ZA", "South Africa", AF), 63_000_000, ("USD", 10), (-2620, 2805), &["Johannesburg", "Cape Town"]),
];
