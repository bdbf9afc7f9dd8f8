//! Exchange, world and both feeds started as one.

use super::{MarketWorld, Serving, WorldSettings, binance, chainlink};
use crate::exchange::server::{self, Running};
use crate::exchange::{Dialect, Settings, SettlementAuthority};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

/// A free port on loopback.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What to start and where.
pub struct Options {
    /// Address of the exchange.
    pub listen: SocketAddr,
    /// Address of the external book.
    pub binance_listen: SocketAddr,
    /// Address of the Ethereum JSON-RPC endpoint.
    pub chainlink_listen: SocketAddr,
    /// The exchange itself.
    pub settings: Settings,
    /// What moves the market.
    pub world: WorldSettings,
    /// Who settles fills on v2; unless given, everything settles after [`server::SETTLE_NS`].
    pub authority: Option<Box<dyn SettlementAuthority>>,
    /// Core to pin the exchange's thread to.
    pub core: Option<usize>,
}

impl Options {
    /// Everything on free loopback ports.
    pub fn on_free_ports(settings: Settings, world: WorldSettings) -> Options {
        Options {
            listen: ANY,
            binance_listen: ANY,
            chainlink_listen: ANY,
            settings,
            world,
            authority: None,
            core: None,
        }
    }
}

/// A running exchange with its world. Dropping it stops all of it.
pub struct Live {
    /// The exchange.
    pub exchange: Running,
    dialect: Dialect,
    /// The external book.
    pub binance: Serving,
    /// The Ethereum JSON-RPC endpoint.
    pub chainlink: Serving,
}

impl Live {
    /// WebSocket address of the exchange.
    pub fn exchange_ws_url(&self) -> String {
        format!("ws://{}{}/ws", self.exchange.local_addr, self.root())
    }

    /// HTTP base address of the exchange.
    pub fn exchange_http_url(&self) -> String {
        format!("http://{}{}", self.exchange.local_addr, self.root())
    }

    /// Where the dialect's paths begin.
    const fn root(&self) -> &'static str {
        match self.dialect {
            Dialect::V3 => "/v3",
            Dialect::V2 => "",
        }
    }

    /// WebSocket address of the external book's raw streams, to which `/<stream>` is appended.
    pub fn binance_ws_url(&self) -> String {
        format!("ws://{}/ws", self.binance.local_addr())
    }

    /// HTTP address of the Ethereum JSON-RPC endpoint.
    pub fn chainlink_http_url(&self) -> String {
        format!("http://{}/", self.chainlink.local_addr())
    }
}

/// Starts the feeds and then the exchange, so that whoever can reach the exchange can reach everything.
///
/// # Errors
/// An address that cannot be bound.
pub fn spawn(options: Options) -> std::io::Result<Live> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let world = MarketWorld::new(options.world);
    let dialect = options.settings.dialect();
    let chain_id = options.settings.network.chain_id();
    let (binance, publisher) = binance::spawn(options.binance_listen)?;
    let (chainlink, reporter) = chainlink::spawn(options.chainlink_listen, chain_id, now_s, world.past_rounds(now_s))?;
    let exchange = server::spawn(server::Options {
        listen: options.listen,
        settings: options.settings,
        world: Some(Box::new(world.with_feeds(publisher, reporter))),
        authority: options.authority,
        core: options.core,
    })?;
    Ok(Live { exchange, dialect, binance, chainlink })
}
