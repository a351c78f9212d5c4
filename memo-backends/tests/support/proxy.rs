//! A proxy in front of a server that can hold back what its clients send, or send it later: the network's delay, at will.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[derive(Default)]
struct State {
    accepted: u64,
    /// What connections of lower numbers send is held back.
    held_below: u64,
    /// How much later what clients send goes on.
    delay: Duration,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The proxy. Its threads end with the connections, and with the process.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let proxy = Proxy { address: listener.local_addr()?, shared: Arc::default() };
        let shared = Arc::clone(&proxy.shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let number = shared.state().accepted;
                shared.state().accepted += 1;
                if let Ok(server) = TcpStream::connect(server) {
                    let _ = forward(client, server, number, &shared);
                }
            }
        });
        Ok(proxy)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Holds back what the present connections send from now on; later ones are let through.
    pub(crate) fn hold(&self) {
        let mut state = self.shared.state();
        state.held_below = state.accepted;
    }

    /// Holds back what all connections send from now on, later ones too: connected, and nobody answers.
    #[allow(dead_code, reason = "some tests use it")]
    pub(crate) fn hold_all(&self) {
        self.shared.state().held_below = u64::MAX;
    }

    /// What connections send from now on goes on so much later.
    #[allow(dead_code, reason = "some tests use it")]
    pub(crate) fn slow(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// Lets everything go on to the server.
    pub(crate) fn release(&self) {
        self.shared.state().held_below = 0;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forward(client: TcpStream, server: TcpStream, number: u64, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (back, to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || pump(back, to_client, || ()));
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let wait = || {
            let held = shared.changed.wait_while(shared.state(), |state| number < state.held_below);
            let delay = held.map_or(Duration::ZERO, |state| state.delay);
            if !delay.is_zero() {
                thread::sleep(delay);
            }
        };
        pump(client, server, wait);
    });
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream, before_each: impl Fn()) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        before_each();
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
