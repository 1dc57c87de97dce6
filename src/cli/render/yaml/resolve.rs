//! Whether plain text would read back as text in YAML 1.1, as `go.yaml.in/yaml/v2` reads it.
//!
//! In: a text. Out: yes or no. Booleans, nulls, numbers (with Go's prefixes and underscores) and timestamps do not read
//! back as text, so they are printed in quotes. Base 60 numbers do, but are quoted for the sake of other readers.

/// Words that are booleans, nulls or special floats. The merge key `<<` is not among them: its first character gives no hint.
const WORDS: [&str; 36] = [
    "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON",
    "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", ".nan", ".NaN", ".NAN",
    ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF",
];
const NEGATIVE_INFINITY: [&str; 3] = ["-.inf", "-.Inf", "-.INF"];
const DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Whether `text` may stand without quotes, as far as its meaning goes.
pub fn reads_back_as_text(text: &str) -> bool {
    !WORDS.contains(&text)
        && !NEGATIVE_INFINITY.contains(&text)
        && !is_number_or_time(text)
        && !is_base_60(text)
}

fn is_number_or_time(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'.') => underscores_separate_digits(text) && is_finite_float(&text.replace('_', "")),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let plain = text.replace('_', "");
            is_timestamp(text) || is_integer(&plain) || is_finite_float(&plain)
        }
        _ => false,
    }
}

/// Digits with at most one point, and an exponent; what overflows a double stays text.
fn is_finite_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_good =
        exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    let digits = |part: &str| part.is_empty() || is_digits(part);
    exponent_is_good
        && digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |index: Option<usize>| {
        index
            .and_then(|index| bytes.get(index))
            .is_some_and(u8::is_ascii_digit)
    };
    (0..bytes.len())
        .all(|index| bytes[index] != b'_' || (is_digit(index.checked_sub(1)) && is_digit(Some(index + 1))))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Go's integers with base 0: a sign, and a prefix for the base; 64 bits, unsigned too when there is no sign.
fn is_integer(text: &str) -> bool {
    let (negative, unsigned, signed) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..], true),
        Some(b'+') => (false, &text[1..], true),
        _ => (false, text, false),
    };
    let (base, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if is_signed_binary(text) {
        return true;
    }
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return false;
    }
    let limit = if negative {
        1_u64 << 63
    } else if signed {
        i64::MAX.unsigned_abs()
    } else {
        u64::MAX
    };
    u64::from_str_radix(digits, base).is_ok_and(|value| value <= limit)
}

/// `0b` with a sign after the prefix: the library parses what follows the prefix once more, sign and all.
fn is_signed_binary(text: &str) -> bool {
    text.strip_prefix("0b")
        .filter(|rest| rest.starts_with(['+', '-']))
        .is_some_and(|rest| i64::from_str_radix(rest, 2).is_ok())
}

/// `[-+]?digits[:up to 59]...`, the base 60 of YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let starts_well = first.starts_with(|character: char| character.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut rest: Vec<&str> = parts.collect();
    let Some(last) = rest.pop() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    rest.push(last);
    starts_well
        && rest.iter().all(|part| is_below_60(part))
        && fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

fn is_below_60(part: &str) -> bool {
    match part.as_bytes() {
        [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
        _ => false,
    }
}

/// A date alone, or with a time; with a `T` a zone is needed, with a space there must be none.
fn is_timestamp(text: &str) -> bool {
    read_timestamp(text).is_some()
}

fn read_timestamp(text: &str) -> Option<()> {
    let year_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if year_digits != 4 {
        return None;
    }
    let year: u32 = text[..4].parse().ok()?;
    let rest = text[4..].strip_prefix('-')?;
    let (month, rest) = one_or_two_digits(rest)?;
    let (day, rest) = one_or_two_digits(rest.strip_prefix('-')?)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = DAYS.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let days = if month == 2 && leap { days + 1 } else { *days };
    if day == 0 || day > days {
        return None;
    }
    if rest.is_empty() {
        return Some(());
    }
    if let Some(rest) = rest.strip_prefix(['T', 't']) {
        return read_zone(read_clock(rest)?);
    }
    let rest = rest.strip_prefix(' ')?.trim_start_matches(' ');
    read_clock(rest)?.is_empty().then_some(())
}

fn read_clock(text: &str) -> Option<&str> {
    let (hour, rest) = one_or_two_digits(text)?;
    let (minute, rest) = one_or_two_digits(rest.strip_prefix(':')?)?;
    let (second, rest) = one_or_two_digits(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Some(rest);
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    Some(if digits == 0 { rest } else { &fraction[digits..] })
}

/// `Z`, or a sign, hours and minutes; Go lets 24 hours and 60 minutes pass.
fn read_zone(text: &str) -> Option<()> {
    if text == "Z" {
        return Some(());
    }
    let rest = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = rest.split_once(':')?;
    let in_range = |part: &str, limit: u32| {
        part.len() == 2 && is_digits(part) && part.parse().is_ok_and(|n: u32| n <= limit)
    };
    (in_range(hours, 24) && in_range(minutes, 60)).then_some(())
}

fn one_or_two_digits(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    Some((text[..digits].parse().ok()?, &text[digits..]))
}
