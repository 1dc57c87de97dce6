//! When a certificate ends.
//!
//! In: a certificate in DER. Out: the `notAfter` of its validity, or `None` for anything that is not laid out as X.509
//! says. This only feeds a metric; whether a certificate is valid is for rustls to judge.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, which certificates of version 1 leave out.
const EXPLICIT_ZERO: u8 = 0xa0;

/// The last moment at which `certificate` holds.
pub fn end(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut rest, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    if rest.first() == Some(&EXPLICIT_ZERO) {
        (_, _, rest) = element(rest)?;
    }
    // The serial number, the signature's algorithm, the issuer.
    for expected in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, _, rest) = element(rest).filter(|(tag, ..)| *tag == expected)?;
    }
    let (_, validity, _) = element(rest).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, _, after_start) = element(validity)?;
    let (tag, text, _) = element(after_start)?;
    moment(tag, std::str::from_utf8(text).ok()?)
}

/// Tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // The long form: the low bits count the bytes of the length. Four of them are more than any certificate needs.
        let count = usize::from(first & 0x7f);
        let (length, rest) = rest
            .split_at_checked(count)
            .filter(|_| (1..=4).contains(&count))?;
        (
            length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)),
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` up to 2049, `YYYYMMDDhhmmssZ` after that; X.509 allows nothing else.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let digits = rest
        .strip_suffix('Z')
        .filter(|digits| digits.len() == 10 && digits.is_ascii())?;
    let two = |at: usize| digits.get(at..at + 2)?.parse::<i8>().ok();
    DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|moment| moment.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut parameters =
            rcgen::CertificateParams::new(["function.crossplane-system".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 2, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_ways_of_writing_the_end_are_read() {
        assert_eq!(
            end(&certificate(2036)).unwrap().to_string(),
            "2036-02-03T00:00:00Z"
        );
        assert_eq!(
            end(&certificate(2076)).unwrap().to_string(),
            "2076-02-03T00:00:00Z"
        );
    }

    #[test]
    fn a_certificate_cut_anywhere_before_its_end_date_gives_none_and_no_panic() {
        let whole = certificate(2036);
        for length in 0..whole.len() {
            assert_eq!(end(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_length_of_four_gigabytes_is_not_believed() {
        assert_eq!(end(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(end(&[SEQUENCE, 0x80, 0, 0]), None);
    }
}
