//! Scenarios and real servers: one binary, so that everything is linked once.

mod build;
mod dev;
mod flights;
mod kills;
mod landing;
mod messages;
mod serve;
mod sshd;
mod standin;
mod support;
mod warehouse_conformance;
