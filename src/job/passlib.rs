//! Password hashes as Odoo keeps them: passlib's `pbkdf2_sha512`.
//!
//! In: a password. Out: `$pbkdf2-sha512$<rounds>$<salt>$<hash>`, both in passlib's own base64 (`.` in place of `+`, no
//! padding). Odoo 17 to 19 hash the passwords of users with 600 000 rounds and keys of the API with 6 000; a hash says
//! how many rounds it has, so every Odoo can check every one of them.

use std::num::NonZeroU32;

use base64ct::{Base64Unpadded, Encoding as _};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA512};

use super::{
    failure::{Attempted, Failure},
    secrets::Secret,
};

/// Rounds of a user's password (`MIN_ROUNDS` of Odoo's `res_users.py`).
pub const PASSWORD_ROUNDS: u32 = 600_000;
/// Rounds of a key of the API, which is long and random by itself (`KEY_CRYPT_CONTEXT` there).
pub const KEY_ROUNDS: u32 = 6_000;

const PREFIX: &str = "$pbkdf2-sha512$";
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 64;

/// Hashes a password with a salt from the operating system. It takes its time; call it where it may block.
pub fn hash(password: &Secret, rounds: u32) -> Attempted<Secret> {
    Ok(Secret::new(hash_with(
        password.expose(),
        rounds,
        &random::<SALT_BYTES>()?,
    )))
}

/// Random bytes from the operating system.
pub fn random<const COUNT: usize>() -> Attempted<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::retry(
            "RandomUnavailable",
            format!("the operating system gives no random bytes: {error}"),
        )
    })?;
    Ok(bytes)
}

/// Whether a text is a hash that Odoo can check.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return false;
    };
    let parts: Vec<_> = rest.split('$').collect();
    let [rounds, salt, hash] = parts[..] else {
        return false;
    };
    let decoded = |part: &str| Base64Unpadded::decode_vec(&part.replace('.', "+"));
    let is_number = !rounds.starts_with('0') && rounds.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        && rounds.parse::<u32>().is_ok_and(|rounds| rounds > 0)
        && !rest.contains('+')
        && decoded(salt).is_ok()
        && decoded(hash).is_ok_and(|hash| hash.len() == HASH_BYTES)
}

fn hash_with(password: &str, rounds: u32, salt: &[u8]) -> String {
    let mut hash = [0; HASH_BYTES];
    let counted = NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(PBKDF2_HMAC_SHA512, counted, salt, password.as_bytes(), &mut hash);
    let encoded = |bytes: &[u8]| Base64Unpadded::encode_string(bytes).replace('+', ".");
    format!("{PREFIX}{rounds}${}${}", encoded(salt), encoded(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_passlib_makes() {
        // passlib.hash.pbkdf2_sha512.using(rounds=1000, salt=bytes(range(16))).hash("pass wörd")
        assert_eq!(
            hash_with("pass wörd", 1000, &(0..16).collect::<Vec<_>>()),
            EXPECTED
        );
        assert!(is_hash(EXPECTED));
    }

    #[test]
    fn what_odoo_cannot_check_is_no_hash() {
        let cut = &EXPECTED[..EXPECTED.len() - 4];
        for bad in [
            "",
            "secret",
            "$pbkdf2-sha512$",
            "$2b$12$abc",
            cut,
            "$pbkdf2-sha512$0$AAEC$AAEC",
        ] {
            assert!(!is_hash(bad), "{bad}");
        }
    }

    #[test]
    fn no_two_hashes_are_alike() {
        let password = Secret::new("one".to_owned());
        let [one, other] = [(); 2].map(|()| hash(&password, 10).unwrap());
        assert_ne!(one.expose(), other.expose());
        assert!(is_hash(one.expose()));
    }

    const EXPECTED: &str = "$pbkdf2-sha512$1000$AAECAwQFBgcICQoLDA0ODw$dk542eWZGszOZsPOiT9vZkEAS.jPxY1.DroaV7qIXCoOEOn0XoyF29WjXYQoU0sDwIS00WNS6iNf//980xov5A";
}
