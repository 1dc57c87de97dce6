//! Where to listen.
//!
//! In: an address as the official SDKs take it: `:9443` (every address of the machine, the Go habit), `0.0.0.0:9443`,
//! `[::1]:9443`, `localhost:9443`. Out: a bound listener.
//!
//! Names are not looked up: the program runs in an image without a resolver, and a listener has no use for one.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use tokio::net::TcpListener;

/// An address to listen on. Port 0 lets the system choose; the startup line tells what it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Every address: IPv6 and IPv4, or IPv4 alone where IPv6 is switched off.
    Everywhere {
        /// The TCP port.
        port: u16,
    },
    /// One address.
    At(SocketAddr),
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{text}` as an address; write :9443, 0.0.0.0:9443, [::1]:9443 or localhost:9443")]
pub struct UnreadableAddress {
    text: String,
}

impl Listen {
    /// Binds the address.
    pub async fn bind(self) -> io::Result<TcpListener> {
        match self {
            Self::At(address) => TcpListener::bind(address).await,
            Self::Everywhere { port } => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                Ok(listener) => Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
                // IPv6 is switched off: the kernel says so in several ways (address family, address, permission).
                Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
            },
        }
    }
}

impl FromStr for Listen {
    type Err = UnreadableAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || UnreadableAddress {
            text: text.to_owned(),
        };
        let port = |port: &str| port.parse::<u16>().map_err(|_| unreadable());
        if let Some(rest) = text.strip_prefix(':') {
            return Ok(Self::Everywhere { port: port(rest)? });
        }
        if let Some(rest) = text.strip_prefix("localhost:") {
            return Ok(Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, port(rest)?))));
        }
        text.parse().map(Self::At).map_err(|_| unreadable())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere { port } => write!(formatter, ":{port}"),
            Self::At(address) => address.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_both_official_sdks_are_read() {
        assert_eq!(":9443".parse(), Ok(Listen::Everywhere { port: 9443 }));
        for text in ["0.0.0.0:9443", "[::]:8080", "127.0.0.1:0", "[::1]:1"] {
            let read: Listen = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(
            "localhost:9443".parse::<Listen>().unwrap().to_string(),
            "127.0.0.1:9443"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_forms_that_are() {
        for text in [
            "",
            "9443",
            ":",
            ":65536",
            ":-1",
            "0.0.0.0",
            "odoo.example:9443",
            "localhost",
            "::1:9443x",
            ": 80",
        ] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains("localhost:9443"), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn everywhere_takes_ipv4_calls() {
        let listener = Listen::Everywhere { port: 0 }.bind().await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_and_no_reason_to_try_another_family() {
        let taken = Listen::Everywhere { port: 0 }.bind().await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Listen::Everywhere { port }.bind().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
