//! An HTTP server that a test tells what to do with each request: pass it on, pass it on and lose the answer, or answer
//! itself. It remembers what came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub enum Act {
    PassOn,
    LoseAnswer,
    Answer { status: u16, headers: &'static str, body: String },
}

#[derive(Clone, Debug)]
pub struct Seen {
    /// `PUT /account/landing/a?comp=block`
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Runs until the test binary ends.
pub struct Proxy {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = dyn Fn(&Seen, &[Seen]) -> Act + Send + Sync;

impl Proxy {
    /// `script` is given a request and those before it.
    pub fn start(upstream: u16, script: impl Fn(&Seen, &[Seen]) -> Act + Send + Sync + 'static) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, all): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (script, all) = (Arc::clone(&script), Arc::clone(&all));
                // A client that goes away is no failure of the proxy.
                std::thread::spawn(move || serve(client, upstream, &*script, &all));
            }
        });
        Proxy { port, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// One request a connection.
fn serve(mut client: TcpStream, upstream: u16, script: &Script, all: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut seen = Seen { line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(), headers: Vec::new() };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        seen.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = seen.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let act = {
        let mut all = all.lock().unwrap();
        let act = script(&seen, &all);
        all.push(seen.clone());
        act
    };
    match act {
        Act::PassOn => client.write_all(&pass_on(&seen, &body, upstream)?),
        Act::LoseAnswer => pass_on(&seen, &body, upstream).map(drop),
        Act::Answer { status, headers, body } => {
            let length = body.len();
            write!(
                client,
                "HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        }
    }
}

fn pass_on(seen: &Seen, body: &[u8], upstream: u16) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    write!(server, "{} HTTP/1.1\r\nconnection: close\r\n", seen.line)?;
    for (name, value) in seen.headers.iter().filter(|(name, _)| name != "connection") {
        write!(server, "{name}: {value}\r\n")?;
    }
    write!(server, "\r\n")?;
    server.write_all(body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}
