//! The peer: the same work as trading bots usually do it. Tasks of one tokio runtime joined by channels; tungstenite
//! sockets; `serde_json` into owned strings, `rust_decimal`; typed-data bytes built for every order; pure-Rust k256
//! as its users compile it, without precomputed tables; a `serde_json` value printed to a string.

use super::{SubjectArgs, wait_for_end};
use crate::basis_vault::{INSTRUMENTS, vault_account};
use futures_util::{SinkExt, StreamExt};
use k256::ecdsa::SigningKey;
use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::derive::action::Envelope;
use keel::derive::action::trade::Trade;
use keel::derive::dialect::LOCAL;
use keel::io::host;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Messages waiting between two tasks.
const QUEUE: usize = 1_024;

#[derive(Deserialize)]
struct Frame {
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    channel: String,
    data: Value,
}

#[derive(Deserialize)]
struct Book {
    bids: Vec<(Decimal, Decimal)>,
    asks: Vec<(Decimal, Decimal)>,
}

/// What the strategy works with.
struct Desk {
    key: SigningKey,
    owner: [u8; 20],
    signer: [u8; 20],
    subaccount: u64,
    asset: [u8; 20],
    sub_id: u128,
    last: u64,
}

/// Runs until told to stop.
pub fn run(args: &SubjectArgs) -> Result<(), String> {
    let by = super::signatory();
    let account = vault_account();
    let secret = alloy_primitives::hex::decode(&account.session_key_hex).map_err(|why| why.to_string())?;
    let key = SigningKey::from_slice(&secret).map_err(|why| why.to_string())?;
    let desk = Desk {
        key,
        owner: by.owner,
        signer: by.signer,
        subaccount: account.subaccount,
        asset: by.asset,
        sub_id: by.sub_id,
        last: 0,
    };
    let (args, (done, ended)) = (*args, tokio::sync::oneshot::channel());
    let thread = std::thread::spawn(move || -> Result<(), String> {
        if let Some(core) = args.core {
            host::pin_to_core(core).map_err(|why| why.to_string())?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|why| why.to_string())?.block_on(async {
            tokio::select! {
                outcome = trade(&args, desk) => outcome,
                _ = ended => Ok(()),
            }
        })
    });
    wait_for_end();
    // A runtime that has failed already listens no longer; its error is returned below.
    let _ = done.send(());
    thread.join().map_err(|_| "the conventional pipeline died".to_owned())?
}

async fn connect(args: &SubjectArgs, path: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let stream = TcpStream::connect(args.address).await.map_err(|why| why.to_string())?;
    stream.set_nodelay(true).map_err(|why| why.to_string())?;
    let url = format!("ws://{}/{path}", args.address);
    client_async(url, stream).await.map(|(socket, _)| socket).map_err(|why| why.to_string())
}

async fn trade(args: &SubjectArgs, mut desk: Desk) -> Result<(), String> {
    let mut public = connect(args, "public").await?;
    let mut external = connect(args, "external").await?;
    let (mut orders_out, mut replies) = connect(args, "private").await?.split();
    let (books_in, mut books) = mpsc::channel::<Book>(QUEUE);
    let (orders, mut outbox) = mpsc::channel::<String>(QUEUE);
    let reader = tokio::spawn(async move {
        while let Some(Ok(message)) = public.next().await {
            let Message::Text(text) = message else { continue };
            let Ok(frame) = serde_json::from_str::<Frame>(&text) else { continue };
            if !frame.params.channel.starts_with("orderbook.") {
                continue;
            }
            if let Ok(book) = serde_json::from_value::<Book>(frame.params.data)
                && books_in.send(book).await.is_err()
            {
                break;
            }
        }
    });
    let others = tokio::spawn(async move { while external.next().await.is_some() {} });
    let answers = tokio::spawn(async move {
        while let Some(Ok(message)) = replies.next().await {
            if let Message::Text(text) = message {
                // What a bot would do with it is left out; that it reads it is not.
                std::hint::black_box(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    });
    let strategy = tokio::spawn(async move {
        while let Some(book) = books.recv().await {
            if let Some(text) = desk.price(&book).and_then(|price| desk.replace(price))
                && orders.send(text).await.is_err()
            {
                break;
            }
        }
    });
    while let Some(text) = outbox.recv().await {
        orders_out.send(Message::text(text)).await.map_err(|why| why.to_string())?;
    }
    for task in [reader, others, answers, strategy] {
        task.abort();
    }
    Ok(())
}

impl Desk {
    /// One tick inside the best ask.
    fn price(&self, book: &Book) -> Option<Decimal> {
        let (ask, bid) = (book.asks.first()?.0, book.bids.first()?.0);
        let wanted = (ask - Decimal::new(1, 2)).round_dp(2);
        (wanted > bid).then_some(wanted)
    }

    /// The signed text of a replace at `price`.
    fn replace(&mut self, price: Decimal) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let nonce = (now.as_nanos() as u64).max(self.last + 1);
        let expiry = now.as_secs() + 590;
        let (limit, max_fee): (Price, Price) = (price.to_string().parse().ok()?, "100".parse().ok()?);
        let subaccount = SubaccountId(self.subaccount);
        let trade = Trade {
            asset: self.asset,
            sub_id: self.sub_id,
            limit_price: limit.into(),
            amount: Amount::ONE.into(),
            max_fee: max_fee.into(),
            recipient: subaccount,
            side: Side::Buy,
        };
        let envelope = Envelope {
            subaccount,
            nonce: Nonce(nonce),
            module: LOCAL.modules.trade,
            expiry_sec: expiry,
            owner: self.owner,
            signer: self.signer,
        };
        let digest = envelope.digest(&LOCAL.domain_separator, &trade.data().ok()?);
        let (signature, recovery) = self.key.sign_prehash_recoverable(&digest).ok()?;
        let signature =
            format!("0x{}{:02x}", alloy_primitives::hex::encode(signature.to_bytes()), 27 + recovery.to_byte());
        let old = std::mem::replace(&mut self.last, nonce);
        let body = json!({
            "id": format!("r{nonce}"), "method": "private/replace",
            "params": {
                "subaccount_id": self.subaccount, "instrument_name": INSTRUMENTS[0], "direction": "buy",
                "order_type": "limit", "time_in_force": "post_only", "mmp": true, "reduce_only": false,
                "amount": "1", "limit_price": price.to_string(), "max_fee": "100", "nonce": nonce.to_string(),
                "label": nonce.to_string(), "signer": alloy_primitives::hex::encode_prefixed(self.signer),
                "signature": signature, "signature_expiry_sec": expiry, "reject_timestamp": now.as_millis() as u64 + 1_000,
                "nonce_to_cancel": old.to_string(), "expected_filled_amount": "0",
            }
        });
        // The stand-in reads ids where the engine writes them: first.
        let text = body.to_string();
        Some(text)
    }
}
