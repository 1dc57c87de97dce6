//! AWS signature version 4 for requests of tests, apart from the one that odoo-job signs with: the server judges both.
//!
//! In: credentials, a moment and a request. Out: the headers that sign it.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SIGNED_HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";
/// SHA-256 works on blocks of this many bytes.
const BLOCK: usize = 64;

/// Who asks, and where.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The public half.
    pub access_key: &'a str,
    /// The half that signs.
    pub secret_key: &'a str,
    /// Part of what is signed.
    pub region: &'a str,
}

impl Credentials<'_> {
    /// All headers of the request, with the signature.
    pub fn sign(
        &self,
        now: Timestamp,
        method: &str,
        host: &str,
        target: &str,
        body: &[u8],
    ) -> [(&'static str, String); 4] {
        let now = now.to_zoned(TimeZone::UTC);
        let (time, day) = (
            now.strftime("%Y%m%dT%H%M%SZ").to_string(),
            now.strftime("%Y%m%d").to_string(),
        );
        let digest = hexadecimal(&Sha256::digest(body));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{time}\n\n\
             {SIGNED_HEADERS}\n{digest}"
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let request = hexadecimal(&Sha256::digest(request));
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{request}");
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [&day, self.region, "s3", "aws4_request"] {
            key = hmac(&key, part);
        }
        let signature = hexadecimal(&hmac(&key, &text));
        let access = self.access_key;
        let authorization = format!(
            "{ALGORITHM} Credential={access}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}"
        );
        [
            ("Host", host.to_owned()),
            ("X-Amz-Content-Sha256", digest),
            ("X-Amz-Date", time),
            ("Authorization", authorization),
        ]
    }
}

/// HMAC with SHA-256 (RFC 2104); the keys here fit into a block.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    assert!(key.len() <= BLOCK, "a longer key would have to be hashed first");
    let padded = |pad: u8| -> Vec<u8> {
        (0..BLOCK)
            .map(|index| key.get(index).unwrap_or(&0) ^ pad)
            .collect()
    };
    let inner = Sha256::digest([padded(0x36), text.as_bytes().to_vec()].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
