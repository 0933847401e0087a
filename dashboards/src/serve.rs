//! Accepts connections and serves the router on them until told to stop.
//!
//! Must never: wait without limit for a client, neither for its request's head nor, when stopping, for it to
//! read what it asked for.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::access::Connection;
use crate::live::Closing;
use crate::shares::{Share, Shares};
use crate::tls::Certificate;

/// Connections open at the same time; further ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Of these, connections of one address other than this machine; a further one is closed. A proxy on another machine
/// still carries a thousand live streams.
const CONNECTIONS_OF_ADDRESS_MAX: usize = 2_048;
/// Time a client has to send the head of a request, also between two requests on one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest request head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Time running answers have to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// A connection's place, and what it counts against its address.
type Place = (OwnedSemaphorePermit, Share);

/// Pause after a failed accept (out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `stop` resolves, under TLS where there is a certificate. Then takes no further connection, ends
/// the live streams, gives running answers five seconds and returns. A failed accept or connection is logged and the
/// rest goes on.
///
/// # Errors
/// Those of the listener itself, when it has no address any more; a certificate that TLS refuses.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    certificate: Option<Arc<Certificate>>,
    stop: impl Future,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let config = certificate.map(|certificate| certificate.config()).transpose();
    let tls = config.map_err(io::Error::other)?.map(TlsAcceptor::from);
    let (close, closing) = watch::channel(false);
    let router = router.layer(Extension(Closing(closing)));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let shares = Shares::new(CONNECTIONS_OF_ADDRESS_MAX);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            _ = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let Some(share) = shares.take(peer.ip()) else {
                    tracing::warn!("closed a connection of {peer}: it has all that it may have");
                    continue;
                };
                let place = (place, share);
                // Small events must leave at once; without this a live value may wait for the previous acknowledgement.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("cannot set TCP_NODELAY: {error}");
                }
                let (router, watcher) = (router.clone(), graceful.watcher());
                match tls.clone() {
                    None => {
                        let on = Connection { peer, tls: false };
                        tokio::spawn(answer(stream, on, place, router, watcher));
                    }
                    Some(tls) => {
                        tokio::spawn(secure(tls, stream, peer, place, router, watcher));
                    }
                }
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection on {address}: {error}; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    close.send_replace(true);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("closed connections that were still being read {} s after the stop", GRACE.as_secs());
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// The handshake, in the time that a request's head has.
async fn secure(
    tls: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: Router,
    watcher: Watcher,
) {
    match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, Connection { peer, tls: true }, place, router, watcher).await,
        Ok(Err(error)) => tracing::debug!("a connection of {peer} ended in its handshake: {error}"),
        Err(_) => tracing::debug!("a connection of {peer} did not end its handshake"),
    }
}

/// Answers the requests of one connection; every request says on which it came.
async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    on: Connection,
    place: Place,
    router: Router,
    watcher: Watcher,
) {
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(on);
        inner.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended early: {error}");
    }
    drop(place);
}
