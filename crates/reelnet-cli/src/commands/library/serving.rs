//! `reelnet library serve`

use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use reelnet_clips::CancelToken;
use reelnet_library::Store;
use reelnet_library::serve::{Edits, ServeOptions, Server};

use crate::args::ServeArgs;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::say;

/// The variable that holds the token.
const TOKEN: &str = "REELNET_TOKEN";
/// How often it is looked whether somebody wants an end.
const LOOK: Duration = Duration::from_millis(100);
/// Answers that are still being given may take so long: a browser that plays a video holds one open.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn serve(store: &Store, args: &ServeArgs) -> anyhow::Result<Outcome> {
    let edits = if args.edit { Edits::Allowed } else { Edits::Refused };
    let token = args.token.clone().or_else(|| std::env::var(TOKEN).ok()).filter(|token| !token.is_empty());
    let words = if token.is_some() { "?token=…" } else { "" };
    let options = ServeOptions { address: SocketAddr::new(args.address, args.port), token, edits };
    // Tags of older settings are made anew before anybody looks at them.
    if !store.models().await?.is_empty() {
        super::model(store, None).await?;
    }
    let cancel = interrupt::watch()?;
    let server = Server::bind(store.clone(), options).await?;
    let mut out = stdout().lock();
    writeln!(out, "http://{}/{words}", server.address())?;
    out.flush()?;
    drop(out);
    say(format_args!("Ctrl-C ends it{}", if args.edit { "" } else { "; read-only, unless it is begun with --edit" }));
    let stopped = cancel.clone();
    tokio::select! {
        result = server.run(async move { wanted(&stopped).await }) => result?,
        () = async { wanted(&cancel).await; tokio::time::sleep(GRACE).await } => {}
    }
    Ok(Outcome::Interrupted)
}

async fn wanted(cancel: &CancelToken) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}
