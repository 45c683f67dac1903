//! Where a namespace is and as whom to go there, as the settings say it.

use crate::identity::Principal;
use crate::secret::Secret;

/// A namespace of Event Hubs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHubsLocation {
    /// `ns.servicebus.windows.net`: also part of a stream's name in the ledger.
    pub namespace: String,
    /// Where to connect if not to port 5671 of the namespace: `amqp://127.0.0.1:5672`, plain, for an emulator.
    pub address: Option<String>,
    pub login: Login,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    SharedAccess {
        access: SharedAccess,
        /// The only hub that it opens (`EntityPath`).
        hub: Option<String>,
    },
    Identity(Principal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedAccess {
    Key {
        name: String,
        key: Secret,
    },
    /// One that was signed elsewhere, and ends some day.
    Signature(Secret),
}
