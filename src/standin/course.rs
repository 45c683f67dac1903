//! How a script host ends: it goes on, it drains, or it stops. Listeners take no new work in either of the latter two; the
//! difference is what becomes of the work under way.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Course {
    Running,
    /// What runs is finished, with its retries and checkpoints.
    Draining,
    /// What runs may finish, but no retry follows and no checkpoint is written.
    Stopping,
}

/// Shared by all parts of one script host.
#[derive(Clone)]
pub(super) struct CourseSwitch {
    course: Arc<watch::Sender<Course>>,
}

impl CourseSwitch {
    pub(super) fn running() -> Self {
        CourseSwitch { course: Arc::new(watch::Sender::new(Course::Running)) }
    }

    /// Never back: a script host that drains is replaced by another, not resumed.
    pub(super) fn advance_to(&self, next: Course) {
        self.course.send_if_modified(|course| {
            let moves_on = next > *course;
            if moves_on {
                *course = next;
            }
            moves_on
        });
    }

    pub(super) fn now(&self) -> Course {
        *self.course.borrow()
    }

    /// Waits until no new work is to be taken.
    pub(super) async fn ends(&self) {
        self.reaches(Course::Draining).await;
    }

    /// Waits until work under way is to come to its end.
    pub(super) async fn stops(&self) {
        self.reaches(Course::Stopping).await;
    }

    async fn reaches(&self, wanted: Course) {
        let mut seen = self.course.subscribe();
        if seen.wait_for(|course| *course >= wanted).await.is_err() {
            // The switch is gone only with everything that could wait for it.
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps, unless no new work is to be taken before: then `false`.
    pub(super) async fn sleep(&self, pause: std::time::Duration) -> bool {
        tokio::select! {
            () = self.ends() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }
}
