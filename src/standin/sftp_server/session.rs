//! SSH: who may log in, and that the only thing to be had is the `sftp` subsystem.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Server, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use sha2::{Digest, Sha256};

use super::requests::Requests;
use super::root::Root;
use crate::secret::Secret;

pub(super) struct Login {
    pub user: String,
    pub password: Secret,
    pub public_key: Option<PublicKey>,
}

impl Login {
    /// Compares hashes, so that the time taken tells nothing of the password.
    fn accepts_password(&self, user: &str, password: &str) -> bool {
        self.user == user && Sha256::digest(self.password.reveal()) == Sha256::digest(password)
    }

    fn accepts_key(&self, user: &str, key: &PublicKey) -> bool {
        self.user == user && self.public_key.as_ref().is_some_and(|known| known.key_data() == key.key_data())
    }
}

pub(super) struct Accounts {
    login: Arc<Login>,
    root: Root,
}

impl Accounts {
    pub(super) fn new(login: Login, root: Root) -> Self {
        Accounts { login: Arc::new(login), root }
    }
}

impl Server for Accounts {
    type Handler = Connection;

    fn new_client(&mut self, _peer: Option<SocketAddr>) -> Connection {
        Connection { login: self.login.clone(), root: self.root.clone(), channels: HashMap::new() }
    }
}

pub(super) struct Connection {
    login: Arc<Login>,
    root: Root,
    /// Opened, and not yet given to a subsystem.
    channels: HashMap<ChannelId, Channel<Msg>>,
}

fn accept_if(is_known: bool) -> Auth {
    if is_known { Auth::Accept } else { Auth::reject() }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(accept_if(self.login.accepts_password(user, password)))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(accept_if(self.login.accepts_key(user, key.public_key)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.channels.remove(&channel).filter(|_| name == "sftp") else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        russh_sftp::server::run(opened.into_stream(), Requests::new(self.root.clone())).await;
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        self.channels.remove(&channel);
        session.close(channel)
    }
}
