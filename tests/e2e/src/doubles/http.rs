//! HTTP/1.1, as far as the Jobs speak it: bodies with a length, one request after the other on a connection.
//!
//! In: a connection, and who answers. Out: answers in JSON. What is no such request ends the connection.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

/// Bytes of a head or a body; the requests here have some hundred.
const LONGEST: u64 = 1 << 20;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// Path and query, encoded as they came.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// One more header.
    pub header: Option<(&'static str, String)>,
    /// What it says.
    pub body: Value,
}

impl Request {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key == name);
        header.map(|(_, value)| value.as_str())
    }

    /// Whether a text is in its address or its body.
    pub fn is_about(&self, text: &str) -> bool {
        self.target.contains(text) || String::from_utf8_lossy(&self.body).contains(text)
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Answer {
    /// An answer without further headers.
    pub const fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            header: None,
            body,
        }
    }
}

/// Answers everything that comes over a connection.
pub fn serve(stream: &TcpStream, answer: impl Fn(&Request) -> Answer) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let is_last = request.header("connection") == Some("close");
        write(stream, &answer(&request))?;
        if is_last {
            break;
        }
    }
    Ok(())
}

fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut head = reader.by_ref().take(LONGEST);
    let mut first = String::new();
    if head.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        head.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(Ok(0), |(_, length)| length.parse());
    let length: u64 = length.map_err(|_| io::ErrorKind::InvalidData)?;
    let mut body = Vec::new();
    reader.take(length.min(LONGEST)).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Request {
        method,
        target,
        headers,
        body,
    }))
}

fn write(mut stream: &TcpStream, answer: &Answer) -> io::Result<()> {
    let Answer { status, header, body } = answer;
    let body = body.to_string();
    let further = header
        .as_ref()
        .map_or_else(String::new, |(name, value)| format!("{name}: {value}\r\n"));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{further}\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())
}
