//! The time, as an argument: a test sets it, production asks the system.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// Stands still until a test moves it.
    Set(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    pub fn set_to(now: DateTime<Utc>) -> Self {
        Clock::Set(Arc::new(Mutex::new(now)))
    }

    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now(),
            Clock::Set(now) => *now.lock().expect("no holder of the clock panics"),
        }
    }

    /// Moves a set clock on.
    ///
    /// # Panics
    /// On the system's clock, which nobody moves.
    pub fn advance(&self, by: Duration) {
        match self {
            Clock::System => panic!("the system's clock cannot be moved"),
            Clock::Set(now) => *now.lock().expect("no holder of the clock panics") += by,
        }
    }
}
