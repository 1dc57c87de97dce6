//! One run of a command: which phase it is in, whether it is to stop, whether it may change anything.
//!
//! A command is a row of phases. Between two of them it may be stopped: by SIGTERM (a drain, a deadline) or, as the worst
//! case, by SIGKILL; whatever it has done until then, the next run recognises. [`Attempt::phase`] is that boundary.

use std::{
    env,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{info, warn};

use super::failure::{Attempted, Failure};

/// Names the phase before which the program waits until it is killed. The tests kill it there, to see the next run
/// recognise what was left; an operator may look at a database in the middle of a procedure.
pub const HOLD_VARIABLE: &str = "ODOO_JOB_HOLD_BEFORE";

/// One run of a command.
#[derive(Debug)]
pub struct Attempt {
    /// Whether nothing may be changed.
    pub dry_run: bool,
    command: String,
    phase: Mutex<&'static str>,
    stop: Stop,
    started: Instant,
    hold_before: Option<String>,
}

/// Tells when the program is to end; cheap to clone, for tasks and threads.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Attempt {
    /// Begins, and listens for SIGTERM and SIGINT. Needs a running tokio runtime.
    pub fn begin(command: &str, dry_run: bool) -> Attempted<Self> {
        let (sender, receiver) = watch::channel(false);
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::retry(
                    "SignalsUnavailable",
                    format!("cannot listen for signals: {error}"),
                )
            })
        };
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            warn!("told to stop");
            // Without a receiver the program is over already.
            let _ = sender.send(true);
            std::future::pending::<()>().await;
        });
        Ok(Self {
            dry_run,
            command: command.to_owned(),
            phase: Mutex::new("begin"),
            stop: Stop(receiver),
            started: Instant::now(),
            hold_before: env::var(HOLD_VARIABLE).ok(),
        })
    }

    /// Enters a phase; fails when the program is to stop. What follows is done whole, or recognised by the next run.
    pub async fn phase(&self, name: &'static str) -> Attempted<()> {
        self.stop.check(self.current_phase())?;
        if self.hold_before.as_deref() == Some(name) {
            warn!(phase = name, "holding before this phase, as {HOLD_VARIABLE} asks");
            self.stop.stopped().await;
            return self.stop.check(self.current_phase());
        }
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = name;
        info!(command = %self.command, phase = name, seconds = self.started.elapsed().as_secs(), "phase");
        Ok(())
    }

    /// The phase that the command is in.
    #[must_use]
    pub fn current_phase(&self) -> &'static str {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command's name.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Tells when to stop.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits for something that may be given up half way without harm; fails when the program is to stop.
    pub async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Attempted<T> {
        tokio::select! {
            outcome = work => Ok(outcome),
            () = self.stop.stopped() => Err(stopped(self.current_phase())),
        }
    }

    /// Says what would be changed, and whether to leave it at that.
    pub fn only_says(&self, would: &str) -> bool {
        if self.dry_run {
            println_result(&format!("would {would}"));
        }
        self.dry_run
    }
}

impl Stop {
    /// Whether the program is to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the program is to stop.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stopping| *stopping).await.is_err() {
            // Nobody can tell us any more, so nobody will.
            std::future::pending::<()>().await;
        }
    }

    fn check(&self, phase: &str) -> Attempted<()> {
        if self.is_stopping() {
            Err(stopped(phase))
        } else {
            Ok(())
        }
    }
}

fn stopped(phase: &str) -> Failure {
    Failure::retry(
        "Stopped",
        format!("was told to stop in phase {phase}; the next run goes on from there"),
    )
}

/// A line for people and scripts, on standard output.
#[expect(clippy::print_stdout, reason = "standard output is where results go")]
pub fn println_result(line: &str) {
    println!("{line}");
}
