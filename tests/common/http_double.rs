//! An HTTP/1.1 server of the test's own: it writes down what it is asked, and answers as it is told.
//!
//! In: what to do with a request: answer, wait, hang, break off, speak something else. Out: all requests, in order. It
//! listens on a free port of the loopback interface and ends with its value.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const HOST: &str = "127.0.0.1";
/// How often somebody who waits looks whether it is over.
const TICK: Duration = Duration::from_millis(10);

/// A request as it came.
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
    /// When it was there whole.
    pub at: Instant,
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub enum Step {
    /// An answer: status, further headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The same, after a while.
    Late(Duration, Box<Self>),
    /// Nothing, and the connection stays open.
    Hang,
    /// The head and half of the body, and the connection ends.
    Half(u16, String),
    /// These bytes instead of HTTP, and the connection ends.
    Garbage(Vec<u8>),
    /// No byte, and the connection ends.
    Close,
}

/// A server. Dropping it ends it.
pub struct Double {
    /// Where it listens.
    pub port: u16,
    shared: Arc<Shared>,
}

type Handler = dyn Fn(&Request, usize) -> Step + Send + Sync;

struct Shared {
    requests: Mutex<Vec<Request>>,
    handler: Box<Handler>,
    over: AtomicBool,
}

impl Request {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key == name);
        header.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// An answer without further headers.
pub fn answer(status: u16, body: impl Into<String>) -> Step {
    Step::Answer(status, Vec::new(), body.into())
}

impl Double {
    /// A server that asks the test what to do; it gets the request and how many came before.
    pub fn new(handler: impl Fn(&Request, usize) -> Step + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((HOST, 0)).expect("the loopback interface has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            handler: Box::new(handler),
            over: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server.over.load(Ordering::Relaxed) {
                    return;
                }
                let server = Arc::clone(&server);
                // A client that went away is one that was killed.
                thread::spawn(move || drop(server.serve(stream)));
            }
        });
        Self { port, shared }
    }

    /// A server that does these one after the other, and the last for ever.
    pub fn script(steps: Vec<Step>) -> Self {
        Self::new(move |_, before| steps[before.min(steps.len() - 1)].clone())
    }

    /// An address on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{HOST}:{}{path}", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().clone()
    }

    /// Waits until so many requests were there.
    pub fn wait_for(&self, count: usize) {
        let begun = Instant::now();
        while self.shared.lock().len() < count {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{count} requests never came"
            );
            thread::sleep(TICK);
        }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the one who waits for connections; one that is gone needs no waking.
        let _ = TcpStream::connect((HOST, self.port));
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Request>> {
        // A test that has failed meanwhile has left it as it is.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader)? {
            let before = {
                let mut requests = self.lock();
                requests.push(request.clone());
                requests.len() - 1
            };
            let step = (self.handler)(&request, before);
            if !self.act(reader.get_mut(), step)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    fn act(&self, stream: &mut TcpStream, step: Step) -> io::Result<bool> {
        match step {
            Step::Answer(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} It\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head = format!("{head}{name}: {value}\r\n");
                }
                stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
                return Ok(true);
            }
            Step::Late(pause, step) => {
                thread::sleep(pause);
                return self.act(stream, *step);
            }
            Step::Hang => {
                stream.set_read_timeout(Some(TICK))?;
                let mut byte = [0];
                while !self.over.load(Ordering::Relaxed) {
                    match stream.read(&mut byte) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        _ => break,
                    }
                }
            }
            Step::Half(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} It\r\nContent-Length: {}\r\n\r\n",
                    body.len() * 2 + 1
                );
                stream.write_all(format!("{head}{body}").as_bytes())?;
            }
            Step::Garbage(bytes) => stream.write_all(&bytes)?,
            Step::Close => {}
        }
        Ok(false)
    }
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, length)| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        target,
        headers,
        body,
        at: Instant::now(),
    }))
}
