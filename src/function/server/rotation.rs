//! Follows the certificate files while serving.
//!
//! In: the folder and what was loaded from it. Out: [`Followed`], from which each handshake takes the certificates of the
//! moment. Kubernetes replaces a whole folder by turning one symbolic link, so the files are read again on a timer
//! and after a failed handshake; only a set that can be served replaces the old one, and connections that are open
//! stay (they are asked to move when they reach their age).

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_rustls::rustls::ServerConfig;
use tracing::{info, warn};

use super::{
    metrics::Metrics,
    tls::{self, Identity},
};

/// How often the files are looked at. The kubelet itself takes up to a minute to bring a changed Secret.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The shortest time between two looks, so that failing handshakes cannot keep us reading files.
const CHECK_PAUSE: Duration = Duration::from_secs(1);

/// The certificates of the moment.
#[derive(Clone)]
pub struct Followed {
    config: watch::Receiver<Arc<ServerConfig>>,
    alarm: Arc<Notify>,
}

impl Followed {
    /// What the next handshake is made with.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// Asks for a look at the files before the timer is due.
    pub fn check_soon(&self) {
        self.alarm.notify_one();
    }
}

/// Starts following `folder`, from which `identity` was loaded; ends when the last [`Followed`] is dropped.
pub fn follow(folder: PathBuf, identity: Identity, metrics: Arc<Metrics>) -> Followed {
    let (sender, config) = watch::channel(Arc::clone(&identity.config));
    let alarm = Arc::new(Notify::new());
    metrics.certificate_expires(identity.expires);
    let follower = Follower {
        folder,
        identity,
        refused: None,
        metrics,
    };
    tokio::spawn(follower.run(sender, Arc::clone(&alarm)));
    Followed { config, alarm }
}

/// What is served, and what was last refused.
struct Follower {
    folder: PathBuf,
    identity: Identity,
    refused: Option<String>,
    metrics: Arc<Metrics>,
}

impl Follower {
    async fn run(mut self, sender: watch::Sender<Arc<ServerConfig>>, alarm: Arc<Notify>) {
        while !sender.is_closed() {
            // Whether the timer or the alarm was first makes no difference.
            let _ = timeout(CHECK_INTERVAL, alarm.notified()).await;
            self.check(&sender);
            sleep(CHECK_PAUSE).await;
        }
    }

    /// Looks at the files once. They are three small ones in memory, so reading them does not block.
    fn check(&mut self, sender: &watch::Sender<Arc<ServerConfig>>) {
        match tls::load_changed(&self.folder, &self.identity) {
            Ok(None) => self.refused = None,
            Ok(Some(identity)) => {
                self.refused = None;
                self.metrics.certificates_reloaded(true);
                self.metrics.certificate_expires(identity.expires);
                info!(
                    expires = identity.expires.map(tracing::field::display),
                    "certificates reloaded"
                );
                sender.send_replace(Arc::clone(&identity.config));
                self.identity = identity;
            }
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    /// Keeps what is served; says so once for each state of the files.
    fn refuse(&mut self, error: &str) {
        if self.refused.as_deref() == Some(error) {
            return;
        }
        self.metrics.certificates_reloaded(false);
        warn!(error, "still serving with the certificates loaded before");
        self.refused = Some(error.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tls::tests::Folder, *};

    fn follower(
        folder: &Folder,
    ) -> (
        Follower,
        watch::Sender<Arc<ServerConfig>>,
        watch::Receiver<Arc<ServerConfig>>,
    ) {
        let identity = tls::load(folder.path()).unwrap();
        let (sender, receiver) = watch::channel(Arc::clone(&identity.config));
        let metrics = Arc::new(Metrics::new());
        (
            Follower {
                folder: folder.path().to_owned(),
                identity,
                refused: None,
                metrics,
            },
            sender,
            receiver,
        )
    }

    #[test]
    fn unchanged_files_leave_the_served_configuration_alone() {
        let folder = Folder::with_new_certificates();
        let (mut follower, sender, receiver) = follower(&folder);
        follower.check(&sender);
        assert!(!receiver.has_changed().unwrap());
    }

    #[test]
    fn replaced_files_are_served() {
        let folder = Folder::with_new_certificates();
        let (mut follower, sender, receiver) = follower(&folder);
        folder.write_new_certificates();
        follower.check(&sender);
        assert!(receiver.has_changed().unwrap());
        assert!(
            follower
                .metrics
                .to_string()
                .contains("certificate_reloads_total{outcome=\"loaded\"} 1\n")
        );
    }

    #[test]
    fn a_half_written_set_is_refused_once_and_served_when_whole() {
        let folder = Folder::with_new_certificates();
        let (mut follower, sender, mut receiver) = follower(&folder);
        folder.write("tls.key", Folder::with_new_certificates().read("tls.key"));
        follower.check(&sender);
        follower.check(&sender);
        assert!(!receiver.has_changed().unwrap());
        assert!(
            follower
                .metrics
                .to_string()
                .contains("certificate_reloads_total{outcome=\"refused\"} 1\n")
        );
        folder.write_new_certificates();
        follower.check(&sender);
        assert!(receiver.has_changed().unwrap());
        receiver.mark_unchanged();
        folder.write("ca.crt", String::new());
        follower.check(&sender);
        assert!(!receiver.has_changed().unwrap());
        assert!(
            follower
                .metrics
                .to_string()
                .contains("certificate_reloads_total{outcome=\"refused\"} 2\n")
        );
    }
}
