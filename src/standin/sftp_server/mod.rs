//! The embedded SFTP server.
