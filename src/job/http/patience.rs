//! How often and how long something is tried that may pass.
//!
//! In: work that fails. Out: its outcome, or its last failure. Between two tries there is a pause that doubles, with a random
//! part, so that many Jobs that failed together do not come back together; a system that says how long to wait is obeyed.
//! All of it together stays below the deadline of the Jobs that notify (900 s), so that a failure is told, and not
//! cut off.

use std::{
    env,
    time::{Duration, Instant},
};

use tracing::warn;

use crate::contract::ExitCode;
use crate::job::{
    attempt::Attempt,
    failure::{Attempted, Failure},
};

/// Milliseconds of the first pause. Tests and impatient people make it shorter; the patience as a whole shrinks with it.
const PAUSE_VARIABLE: &str = "ODOO_JOB_RETRY_PAUSE_MILLISECONDS";
/// Milliseconds that one request may take.
const REQUEST_VARIABLE: &str = "ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS";

const PAUSE: Duration = Duration::from_secs(1);
const REQUEST: Duration = Duration::from_secs(30);
/// First pauses that the longest pause lasts.
const PAUSE_GROWTH: u32 = 60;
/// First pauses that everything together lasts: ten minutes, the deadline being fifteen.
const TOTAL: u32 = 600;
const TRIES: u32 = 8;
/// Tries of what is not worth the whole patience.
const TRIES_BRIEF: u32 = 4;

/// How often and how long something is tried. One for a command: all that it does together has to end in time.
#[derive(Clone, Debug)]
pub struct Patience {
    /// How long one request may take.
    pub request: Duration,
    pause: Duration,
    tries: u32,
    end: Instant,
}

/// Why a try failed.
#[derive(Debug)]
pub struct Trouble {
    /// The failure, when it is the last try; only one that may pass is tried again.
    pub failure: Failure,
    /// How long the system asks us to wait.
    pub asked: Option<Duration>,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self { failure, asked: None }
    }
}

impl Patience {
    /// The patience of a command, which begins now.
    pub fn from_environment() -> Attempted<Self> {
        let pause = milliseconds(PAUSE_VARIABLE, PAUSE)?;
        Ok(Self {
            request: milliseconds(REQUEST_VARIABLE, REQUEST)?,
            pause,
            tries: TRIES,
            end: Instant::now() + pause * TOTAL,
        })
    }

    /// The same with fewer tries, for what is not worth all of it.
    #[must_use]
    pub fn brief(&self) -> Self {
        Self {
            tries: TRIES_BRIEF,
            ..self.clone()
        }
    }

    /// Does something until it is done, fails for good, or the patience ends. `work` gets the number of the try.
    pub async fn persist<T>(
        &self,
        attempt: &Attempt,
        mut work: impl AsyncFnMut(u32) -> Result<T, Trouble>,
    ) -> Attempted<T> {
        let mut tries = 1;
        loop {
            let trouble = match attempt.interruptible(work(tries)).await? {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            let mut failure = trouble.failure;
            if failure.exit != ExitCode::Retry {
                return Err(failure);
            }
            let Some(pause) = self.next_pause(tries, trouble.asked) else {
                failure.message = format!("{} (tried {tries} times)", failure.message);
                return Err(failure);
            };
            warn!(
                reason = failure.reason,
                tries,
                pause_milliseconds = pause.as_millis(),
                "{}; trying again",
                failure.message
            );
            attempt.interruptible(tokio::time::sleep(pause)).await?;
            tries += 1;
        }
    }

    /// How long to wait after so many tries; `None` when that is enough.
    fn next_pause(&self, tries: u32, asked: Option<Duration>) -> Option<Duration> {
        if tries >= self.tries {
            return None;
        }
        let longest = self.pause * PAUSE_GROWTH;
        let doubled = self.pause.saturating_mul(1 << (tries - 1).min(16)).min(longest);
        let pause = asked.unwrap_or_default().max(doubled.mul_f64(random_share()));
        (Instant::now() + pause < self.end).then_some(pause)
    }
}

/// Between a half and one.
fn random_share() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness everybody waits the same, which still is a wait.
    let _ = getrandom::fill(&mut bytes);
    0.5 + f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX) / 2.0
}

fn milliseconds(variable: &'static str, otherwise: Duration) -> Attempted<Duration> {
    let Some(text) = env::var_os(variable).filter(|text| !text.is_empty()) else {
        return Ok(otherwise);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    match number {
        Some(number @ 1..=600_000) => Ok(Duration::from_millis(number)),
        Some(_) | None => Err(Failure::give_up(
            "SettingInvalid",
            format!("{variable} has to be milliseconds, from 1 to 600000"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience {
            request: REQUEST,
            pause: PAUSE,
            tries: TRIES,
            end: Instant::now() + PAUSE * TOTAL,
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        let patience = patience();
        for tries in 1..TRIES {
            let pause = patience.next_pause(tries, None).unwrap();
            let whole = PAUSE * (1 << (tries - 1)).min(PAUSE_GROWTH);
            assert!(pause >= whole / 2 && pause <= whole, "{tries}: {pause:?}");
        }
        assert_eq!(patience.next_pause(TRIES, None), None);
        assert_eq!(patience.brief().next_pause(TRIES_BRIEF, None), None);
    }

    #[test]
    fn what_is_asked_for_is_obeyed_or_too_long() {
        let patience = patience();
        let asked = Some(Duration::from_secs(77));
        assert_eq!(patience.next_pause(1, asked), asked);
        assert_eq!(patience.next_pause(1, Some(Duration::from_secs(3600))), None);
    }

    #[test]
    fn all_of_it_ends_before_the_deadline_of_the_jobs() {
        let deadline = u64::try_from(crate::defaults::NOTIFY_DEADLINE_SECONDS).unwrap();
        // The last try may begin just before the end.
        assert!(PAUSE * TOTAL + REQUEST * 2 < Duration::from_secs(deadline));
    }

    #[test]
    fn the_random_part_is_a_half() {
        assert!(
            (0..100)
                .map(|_| random_share())
                .all(|share| (0.5..=1.0).contains(&share))
        );
    }
}
