//! What plans need to be allowed for, asked before anything of them is done.

use super::plan::Plan;
use crate::{
    auth::{Action, Keys, ServerCommand, Target, access::Access},
    core::Core,
    failure::Failure,
    router::operation::Operation,
};

/// A plan.
///
/// # Errors
/// [`Failure::Forbidden`].
pub fn plan(core: &Core, access: &Access, plan: &Plan) -> Result<(), Failure> {
    let entries =
        |action, collection, keys| access.check(core, action, Target::Entries { collection, keys });
    match plan {
        Plan::Key { collection, key, operation } => {
            let is_read = matches!(operation, Operation::Get { .. });
            let action = if is_read { Action::Read } else { Action::Write };
            entries(action, collection, Keys::One(key))
        }
        Plan::Rows(rows) => {
            let scan = &rows.scan;
            entries(Action::Read, &scan.collection, Keys::Range(&scan.from, scan.to.as_deref()))
        }
        // How many rows it changes tells what is in them.
        Plan::Update { collection, .. } => {
            entries(Action::Read, collection, Keys::ALL)?;
            entries(Action::Write, collection, Keys::ALL)
        }
        Plan::Command(command) => {
            let (is_order, subject) = (command.is_order(), command.subject());
            let command = ServerCommand { name: command.name(), subject: &subject };
            access.authorize_command(core, command, is_order)
        }
    }
}

/// All plans of a batch.
///
/// # Errors
/// [`Failure::Batch`] of the first that is forbidden.
pub fn batch(core: &Core, access: &Access, plans: &[Plan]) -> Result<(), Failure> {
    plans.iter().enumerate().try_for_each(|(index, one)| {
        plan(core, access, one).map_err(|cause| Failure::Batch { index, cause: Box::new(cause) })
    })
}

/// A look at one key.
///
/// # Errors
/// [`Failure::Forbidden`].
pub fn read(core: &Core, access: &Access, collection: &str, key: &[u8]) -> Result<(), Failure> {
    let keys = Keys::One(key);
    access.check(core, Action::Read, Target::Entries { collection, keys })
}
