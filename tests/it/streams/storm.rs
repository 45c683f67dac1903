//! 200,000 events under everything that a host does to them: a third delivered again in other cuts, batches that fail in the
//! middle, batches that never come, two handlers at once. The summary is the truth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Stage, truth};

const EVENTS: u64 = 200_000;

/// Numbers without a pattern, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What the host does with a batch.
enum Fate {
    Comes,
    /// The handler dies after so many steps; the checkpoint moves on all the same.
    Fails {
        after: u64,
    },
    Lost,
}

/// Polls so often, then drops the work where it stands, as a kill does.
async fn killed_after(polls: u64, mut work: BoxFuture<'_, ()>) {
    let left = AtomicU64::new(polls);
    std::future::poll_fn(|context| match work.poll_unpin(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending if left.fetch_sub(1, Ordering::Relaxed) == 0 => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redelivered_failed_and_lost_batches_come_to_exactly_the_truth() {
    let stage = Stage::new().await;
    for start in (0..EVENTS).step_by(20_000) {
        stage.send(start..start + 20_000).await;
    }
    let mut dice = Dice(2026);
    let mut plan = Vec::new();
    let mut next = 0;
    while next < EVENTS {
        let size = 1 + dice.roll(2_000);
        let fate = match dice.roll(10) {
            0 => Fate::Lost,
            1 => Fate::Fails { after: dice.roll(40) },
            _ => Fate::Comes,
        };
        plan.push((next..(next + size).min(EVENTS), fate));
        // Three batches in ten begin again somewhere within what was delivered.
        next = if dice.roll(10) < 3 { next.saturating_sub(dice.roll(1_000)) + size / 2 } else { next + size };
    }
    // The last one is lost: nothing follows that would show it.
    plan.retain(|(numbers, _)| numbers.end < EVENTS);

    let mut repaired = 0;
    for pair in plan.chunks(2) {
        let deliveries = pair.iter().map(|(numbers, fate)| async {
            let batch = stage.batch(numbers.clone()).await;
            match fate {
                Fate::Lost => 0,
                Fate::Fails { after } => {
                    killed_after(*after, async { drop(stage.try_deliver(batch).await) }.boxed()).await;
                    0
                }
                Fate::Comes => stage.try_deliver(batch).await.unwrap().repaired,
            }
        });
        // Two handlers at once.
        repaired += futures::future::join_all(deliveries).await.into_iter().sum::<u64>();
    }
    assert!(repaired > 0, "the storm left something to repair");
    let tail = stage.sweep_after(10).await;
    assert!(tail.repaired > 0 && tail.failed == 0 && tail.lost == 0, "{tail:?}");
    assert_eq!(stage.counts().await, truth(0..EVENTS));
    let record = stage.record().await;
    assert_eq!((record.applied, record.events_read), (Some(EVENTS - 1), EVENTS));
}
