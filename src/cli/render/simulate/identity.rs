//! Names and uids that Crossplane derives: the uid of a composite resource that has none, and names of composed ones.
//!
//! In: identities. Out: texts, always the same for the same input. SHA-1 is only used as the name hash that the format
//! of version 5 UUIDs asks for, never to protect anything, and is not worth a dependency.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{object, store::GroupVersionKind};

/// The longest name that Crossplane generates.
const MAX_NAME_BYTES: usize = 63;
/// How many hexadecimal digits of the hash go into a generated name.
const HASH_DIGITS: usize = 12;
/// Kubernetes' limit for most names.
const MAX_SUBDOMAIN_BYTES: usize = 253;
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
const RBAC_KINDS: [&str; 4] = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];

/// The uid of a composite resource: its own, or a hash of what it is.
pub fn uid_of(composite: &Value) -> String {
    let own = object::uid(composite);
    if !own.is_empty() {
        return own.to_owned();
    }
    let GroupVersionKind { group, version, kind } = GroupVersionKind::of(composite);
    let identity = format!(
        "{group}/{version}, Kind={kind}\0{}\0{}",
        object::namespace(composite),
        object::name(composite)
    );
    name_uuid(identity.as_bytes())
}

/// A version 5 UUID in the nil name space.
fn name_uuid(name: &[u8]) -> String {
    let mut message = vec![0; 16];
    message.extend_from_slice(name);
    let mut hash = sha1(&message);
    hash[6] = (hash[6] & 0x0f) | 0x50;
    hash[8] = (hash[8] & 0x3f) | 0x80;
    let digits = hexadecimal(&hash[..16]);
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

/// Bytes as text.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha1(message: &[u8]) -> [u8; 20] {
    const BLOCK: usize = 64;
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != BLOCK - 8 {
        padded.push(0);
    }
    let bits = u64::try_from(message.len()).unwrap_or(u64::MAX).wrapping_mul(8);
    padded.extend_from_slice(&bits.to_be_bytes());

    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(BLOCK) {
        sha1_block(&mut state, block);
    }
    let mut hash = [0; 20];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

fn sha1_block(state: &mut [u32; 5], block: &[u8]) {
    let mut words: Vec<u32> = block
        .chunks_exact(4)
        .map(|bytes| bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
        .collect();
    for index in 16..80 {
        let word = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16];
        words.push(word.rotate_left(1));
    }
    let mut mixing = *state;
    for (round, word) in words.iter().enumerate() {
        let [first, x, y, z, last] = mixing;
        let (mixed, constant) = match round / 20 {
            0 => ((x & y) | (!x & z), 0x5a82_7999),
            1 => (x ^ y ^ z, 0x6ed9_eba1),
            2 => ((x & y) | (x & z) | (y & z), 0x8f1b_bcdc),
            _ => (x ^ y ^ z, 0xca62_c1d6_u32),
        };
        let sum = [mixed, last, constant, *word]
            .into_iter()
            .fold(first.rotate_left(5), u32::wrapping_add);
        mixing = [sum, first, x.rotate_left(30), y, z];
    }
    for (total, word) in state.iter_mut().zip(mixing) {
        *total = total.wrapping_add(word);
    }
}

/// The name of a composed resource that brings none: a prefix, cut to fit, and a hash of who it is for.
pub fn generated_name(prefix: &str, composite_uid: &str, resource: &str) -> String {
    let hash = hexadecimal(&Sha256::digest(format!("{composite_uid}{resource}").as_bytes()));
    let suffix = &hash[..HASH_DIGITS];
    let mut prefix = prefix.to_owned();
    if !prefix.is_empty() && !prefix.ends_with('-') {
        prefix.push('-');
    }
    if prefix.len() + HASH_DIGITS > MAX_NAME_BYTES {
        prefix = cut(&prefix, MAX_NAME_BYTES - HASH_DIGITS);
    }
    prefix + suffix
}

/// The first bytes of a prefix, ending in a hyphen.
fn cut(prefix: &str, bytes: usize) -> String {
    let start = |bytes: usize| String::from_utf8_lossy(&prefix.as_bytes()[..bytes]).into_owned();
    let whole = start(bytes);
    if whole.ends_with('-') {
        whole
    } else {
        start(bytes - 1) + "-"
    }
}

/// Whether Kubernetes takes the name: a DNS subdomain; RBAC kinds may have colons besides.
pub fn is_valid_name(name: &str, object: &Value) -> bool {
    let GroupVersionKind { group, kind, .. } = GroupVersionKind::of(object);
    let without_colons = if group == RBAC_GROUP && RBAC_KINDS.contains(&kind.as_str()) {
        name.replace(':', "")
    } else {
        name.to_owned()
    };
    without_colons.len() <= MAX_SUBDOMAIN_BYTES && without_colons.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_is_sha_1() {
        assert_eq!(
            hexadecimal(&sha1(b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            hexadecimal(&sha1(b"")),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
        assert_eq!(
            hexadecimal(&sha1(&[b'a'; 64])),
            "0098ba824b5c16427bd7a1122a5a442a25ec644d"
        );
    }

    #[test]
    fn a_generated_name_is_cut_to_63_bytes_and_keeps_one_hyphen() {
        let long = generated_name(&"x".repeat(80), "uid", "database");
        assert_eq!(long.len(), MAX_NAME_BYTES);
        assert!(long.starts_with(&("x".repeat(50) + "-")));
        assert!(generated_name("acme-", "uid", "database").starts_with("acme-"));
        assert_eq!(generated_name("", "uid", "database").len(), HASH_DIGITS);
    }

    #[test]
    fn names_are_subdomains_and_rbac_names_may_have_colons() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"});
        assert!(is_valid_name("a.b-c", &json!({})));
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", "a:b"] {
            assert!(!is_valid_name(bad, &json!({})), "{bad}");
        }
        assert!(is_valid_name("a:b", &role));
    }
}
