//! Scenarios and real servers: one binary, so that everything is linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod azure_blobs;
mod azure_files;
mod azurite;
mod broker;
mod build;
mod connect;
mod containers_conformance;
mod dev;
mod event_hubs;
mod events;
mod files_server;
mod flights;
mod formats;
mod hub_conformance;
mod kills;
mod landing;
mod messages;
mod odd_names;
mod operate;
mod plan;
mod put;
mod real_ends;
mod secrets;
mod send;
mod serve;
mod share_conformance;
mod sqlserver_wire;
mod sshd;
mod standin;
mod streams;
mod support;
mod transcripts;
mod two_handlers;
mod variants;
mod warehouse_conformance;
