//! Turns: what a reactor does between two looks at its sockets.
//!
//! glommio looks at I/O only when nothing is runnable or its timer (100 ms) fires. Whoever has
//! more work than a turn should hold gives way.

/// Lets everything else on this reactor run, sockets included, before the caller goes on.
pub async fn give_way() {
    glommio::executor().yield_task_queue_now().await;
}
