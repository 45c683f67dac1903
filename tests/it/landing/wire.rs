//! A wire to a server that counts what comes over it, and breaks or falls silent when a test says so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of the connection that brings the first byte behind a number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    PassOn,
    CutAt(u64),
    SilentAt(u64),
}

pub struct Wire {
    pub port: u16,
    from_server: Arc<AtomicU64>,
    fate: Arc<Mutex<Fate>>,
}

impl Wire {
    /// Until the test binary ends.
    pub fn to(server: u16) -> Wire {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let wire = Wire {
            port: listener.local_addr().unwrap().port(),
            from_server: Arc::default(),
            fate: Arc::new(Mutex::new(Fate::PassOn)),
        };
        let (from_server, fate) = (wire.from_server.clone(), wire.fate.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass_on(up, server));
                let (from_server, fate) = (from_server.clone(), fate.clone());
                std::thread::spawn(move || bring(down, client, &from_server, &fate));
            }
        });
        wire
    }

    /// How many bytes the server has sent over all connections.
    pub fn bytes_from_server(&self) -> u64 {
        self.from_server.load(Ordering::SeqCst)
    }

    /// Once, and then everything is passed on again.
    pub fn decide(&self, fate: Fate) {
        *self.fate.lock().unwrap() = fate;
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn bring(mut server: TcpStream, mut client: TcpStream, from_server: &AtomicU64, fate: &Mutex<Fate>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        let count = from_server.fetch_add(read as u64, Ordering::SeqCst) + read as u64;
        let now = *fate.lock().unwrap();
        match now {
            Fate::CutAt(at) if count >= at => {
                *fate.lock().unwrap() = Fate::PassOn;
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
                return;
            }
            Fate::SilentAt(at) if count >= at => {
                *fate.lock().unwrap() = Fate::PassOn;
                // Open, and nothing comes any more, until the client goes.
                let _ = server.shutdown(Shutdown::Both);
                let _ = client.read(&mut [0]);
                return;
            }
            _ => {}
        }
        if client.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
