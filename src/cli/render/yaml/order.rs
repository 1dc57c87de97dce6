//! The order of keys: letters after everything else, numbers inside keys by value, as `go.yaml.in/yaml/v2` sorts.
//!
//! In: the keys of an object. Out: the same keys, sorted. Not a total order for every set of keys, so this sorts by
//! insertion (which is also what Go does with few keys) rather than with the standard library, which may panic.

/// Sorts keys as the Go library does.
pub fn sort<'a>(keys: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut sorted: Vec<&String> = Vec::new();
    for key in keys {
        let after = sorted.iter().rposition(|earlier| !comes_before(key, earlier));
        sorted.insert(after.map_or(0, |index| index + 1), key);
    }
    sorted
}

fn comes_before(left: &str, right: &str) -> bool {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    for index in 0..left.len().min(right.len()) {
        let (a, b) = (left[index], right[index]);
        if a == b {
            continue;
        }
        return match (a.is_alphabetic(), b.is_alphabetic()) {
            (true, true) => a < b,
            (true, false) => false,
            (false, true) => true,
            (false, false) => number_comes_before(&left, &right, index),
        };
    }
    left.len() < right.len()
}

/// Compares the digits from `index` on as numbers, then by their count, then the characters themselves.
fn number_comes_before(left: &[char], right: &[char], index: usize) -> bool {
    let mut start = 0_i64;
    if left[index] == '0' || right[index] == '0' {
        // Zeros inside a number count, leading zeros do not.
        let before = left[..index]
            .iter()
            .rev()
            .take_while(|digit| digit.is_ascii_digit());
        start = i64::from(before.into_iter().any(|digit| *digit != '0'));
    }
    let (left_number, left_end) = read_number(left, index, start);
    let (right_number, right_end) = read_number(right, index, start);
    if left_number != right_number {
        return left_number < right_number;
    }
    if left_end != right_end {
        return left_end < right_end;
    }
    left[index] < right[index]
}

/// Wraps on overflow, as Go does.
fn read_number(text: &[char], from: usize, start: i64) -> (i64, usize) {
    let mut number = start;
    let mut index = from;
    while let Some(digit) = text.get(index).and_then(|character| character.to_digit(10)) {
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        index += 1;
    }
    (number, index)
}
