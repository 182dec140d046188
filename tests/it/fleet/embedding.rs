//! What programs that embed the library use beside the commands: the blocking fleet, and channels of events.

#[cfg(feature = "blocking")]
use switchback::{ErrorKind, blocking, report::Outcome};
use switchback::{event, event::Silent};

use super::fixture::{Hosts, deploying, release, wait};

/// A blocking command in a task, whose runtime it would stall.
#[cfg(feature = "blocking")]
#[test]
fn a_blocking_command_in_a_task_is_refused() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let fleet = blocking::Fleet::new(hosts.fleet()).expect("a thread");
    assert!(fleet.status(Silent).is_ok());
    let error = wait(async { fleet.status(Silent) }).expect_err("it would block");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Error));
    wait(async { drop(fleet) });
}

/// Events of two fleets over one channel, each with the operation of its command.
#[test]
fn records_name_their_fleet_and_operation() {
    let (shop, blog) = (Hosts::new(1), Hosts::new(1));
    let (sender, mut events) = event::channel("shop");
    let deployed = wait(shop.fleet().deploy(release("a"), &deploying(), sender.clone())).expect("it deploys");
    wait(blog.fleet().status(sender.of("blog"))).expect("it is read");
    drop(sender);
    let mut fleets = Vec::new();
    while let Some(record) = events.try_recv() {
        assert_eq!(record.fleet == "shop", record.operation == deployed.operation, "{record:?}");
        fleets.push(record.fleet);
    }
    assert!(wait(events.recv()).is_none(), "no sender is left");
    fleets.dedup();
    assert_eq!(fleets, ["shop", "blog"]);
}
