//! The most private memory that a stretch of work takes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Looks at this process's private memory fifty times a second.
pub struct PeakMemory {
    peak: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    watcher: thread::JoinHandle<()>,
}

impl PeakMemory {
    pub fn watch() -> Self {
        let (peak, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watcher = thread::spawn({
            let (peak, over) = (peak.clone(), over.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    peak.fetch_max(private_bytes(), Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20));
                }
            }
        });
        PeakMemory { peak, over, watcher }
    }

    pub fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.join().expect("the watcher does not panic");
        self.peak.load(Ordering::Relaxed)
    }
}

fn private_bytes() -> u64 {
    let Ok(rollup) = fs::read_to_string("/proc/self/smaps_rollup") else { return 0 };
    let kilobytes = |key: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (kilobytes("Private_Clean:") + kilobytes("Private_Dirty:")) * 1024
}
