//! All integration tests are one binary, so that everything is linked once.

mod landing;
mod sshd;
