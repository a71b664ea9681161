//! `reload`, `drain` and `connections`: what changes a server that runs.

use amaters_proto::admin::v1::{
    CloseConnectionsRequest, DrainRequest, ListConnectionsRequest, ReloadRequest,
};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Session, failure::Failure, jobs::stub};

#[derive(Debug, Args)]
pub(crate) struct Connections {
    #[command(subcommand)]
    command: Option<ConnectionsCommand>,
}

#[derive(Debug, Subcommand)]
enum ConnectionsCommand {
    /// Print who is connected, as connections alone does.
    List,
    /// Say goodbye to some: their requests under way are finished.
    Close(Close),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Close {
    /// These.
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// And all from this address.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
}

impl Connections {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let connection = session.connection().await?;
        let (mut stub, timeout) = (stub(connection), Some(connection.timeout()));
        match &self.command {
            None | Some(ConnectionsCommand::List) => {
                let request = connection.call(ListConnectionsRequest {}, timeout);
                let all = stub.list_connections(request).await?.into_inner().connections;
                let rows = all.iter().map(|each| {
                    json!({
                        "id": each.id,
                        "address": each.address,
                        "reactor": each.reactor,
                        "age_seconds": each.age_seconds,
                        "requests_under_way": each.requests_under_way,
                    })
                });
                session.output.list(
                    &["id", "address", "reactor", "age_seconds", "requests_under_way"],
                    rows.collect(),
                )
            }
            Some(ConnectionsCommand::Close(Close { ids, from })) => {
                let address = from.clone().unwrap_or_default();
                let request = CloseConnectionsRequest { ids: ids.clone(), address };
                let request = connection.call(request, timeout);
                let closed = stub.close_connections(request).await?.into_inner().closed;
                session.output.say(&format!("{closed} closed"), &json!({"closed": closed}))
            }
        }
    }
}

/// Has the server read its configuration again; a failure if it does not take it.
pub(crate) async fn reload(session: &mut Session) -> Result<(), Failure> {
    let connection = session.connection().await?;
    let request = connection.call(ReloadRequest {}, Some(connection.timeout()));
    let answer = stub(connection).reload(request).await?.into_inner();
    let lines = [vec![answer.summary.clone()], answer.lines.clone()].concat().join("\n");
    let object = json!({"taken": answer.taken, "summary": answer.summary, "lines": answer.lines});
    session.output.say(&lines, &object)?;
    if answer.taken {
        return Ok(());
    }
    Err(Failure::refused("the server keeps the configuration that it had"))
}

/// Has the server finish its requests and end.
pub(crate) async fn drain(session: &mut Session) -> Result<(), Failure> {
    let connection = session.connection().await?;
    let request = connection.call(DrainRequest {}, Some(connection.timeout()));
    let open = stub(connection).drain(request).await?.into_inner().connections;
    let line = format!("the server finishes its requests and ends; {open} connections are open");
    session.output.say(&line, &json!({"connections": open}))
}
