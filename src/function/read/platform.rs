//! The function's input -> [`Platform`].
//!
//! Crossplane does not check the input of a function, so every call would have to: types, names of fields, patterns,
//! ranges. All tenants of a Composition have the same input, byte for byte. So the last one that was found good is
//! remembered by its bytes; the answer is the same as without, only sooner.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{super::wire, unreadable};
use crate::api::{
    check::{self, INPUT_PATH, Problem},
    platform::Platform,
};

/// The last good input, and what it says.
static LAST: Mutex<Option<(Bytes, Arc<Platform>)>> = Mutex::new(None);

/// Reads and checks the input.
pub fn platform(input: Option<&Bytes>) -> Result<Arc<Platform>, Vec<Problem>> {
    let input = input.cloned().unwrap_or_default();
    // A panic elsewhere cannot leave a pair half written: it is replaced as a whole.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((bytes, platform)) = last.as_ref()
        && *bytes == input
    {
        return Ok(Arc::clone(platform));
    }
    let platform = Arc::new(checked(&input)?);
    // A copy: the bytes are a slice of the whole request, which must not be kept alive by it.
    *last = Some((Bytes::copy_from_slice(&input), Arc::clone(&platform)));
    Ok(platform)
}

fn checked(input: &[u8]) -> Result<Platform, Vec<Problem>> {
    let read = wire::read::<Platform>(input);
    let problems = check::platform_problems(&wire::to_json(input).map_err(unreadable(INPUT_PATH))?);
    match read {
        Ok(platform) if problems.is_empty() => Ok(platform),
        Err(error) if problems.is_empty() => Err(unreadable(INPUT_PATH)(error)),
        Ok(_) | Err(_) => Err(problems),
    }
}
