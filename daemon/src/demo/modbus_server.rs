//! A Modbus TCP server of the demonstration: one port is one gateway with several meters behind it. Its registers
//! are computed at the moment they are read.
//!
//! Must never: accept a write, listen beyond loopback, or fall over a garbled frame.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Open connections per gateway; real ones allow four to ten.
const CONNECTIONS_MAX: usize = 16;
/// A connection without a request for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// Most registers in one request (Modbus application protocol V1.1b3, 6.3 and 6.4).
const COUNT_MAX: u16 = 125;
/// Unit and protocol data unit together (Modbus messaging on TCP/IP V1.0b, 3.1.3).
const LENGTH_MAX: u16 = 254;

const READ_HOLDING: u8 = 3;
const READ_INPUT: u8 = 4;

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;
const TARGET_SILENT: u8 = 11;

/// A device behind a gateway: 16-bit words, computed when asked.
pub(crate) trait Device: Send + Sync {
    /// The words of input (4) or holding (3) registers; `None` when the range is not the device's.
    fn words(&self, function: u8, first: u16, count: u16) -> Option<Vec<u16>>;
}

/// What a gateway does with a request.
pub(crate) enum Behaviour {
    /// Answers for these units.
    Serves(BTreeMap<u8, Arc<dyn Device>>),
    /// Takes connections and requests and never answers, like a gateway whose bus is broken.
    Silent,
}

/// A gateway that is being served until it is dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Listens on a free port of the loopback address.
    pub(crate) async fn start(behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::new(behaviour)));
        Ok(Self { address, task })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The connections live in the task's own set and end with it.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, behaviour: Arc<Behaviour>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while connections.try_join_next().is_some() {}
                if connections.len() < CONNECTIONS_MAX {
                    connections.spawn(serve(stream, Arc::clone(&behaviour)));
                }
            }
            Err(error) => {
                // Out of file handles, most likely: wait for some to close rather than spin.
                tracing::warn!(%error, "demonstration gateway could not accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, behaviour: Arc<Behaviour>) {
    loop {
        let request = match tokio::time::timeout(IDLE_MAX, read_request(&mut stream)).await {
            Ok(Ok(request)) => request,
            // Idle, gone, or not Modbus: the client will connect again.
            Ok(Err(_)) | Err(_) => return,
        };
        let Behaviour::Serves(units) = &*behaviour else { continue };
        let response = answer(units, &request);
        if stream.write_all(&frame(&request, &response)).await.is_err() {
            return;
        }
    }
}

/// A request with its header.
#[derive(Debug)]
struct Request {
    transaction: [u8; 2],
    unit: u8,
    /// Function code and data; 1 to 253 bytes.
    pdu: Vec<u8>,
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Request> {
    let mut header = [0u8; 7];
    stream.read_exact(&mut header).await?;
    let protocol = u16::from_be_bytes([header[2], header[3]]);
    let length = u16::from_be_bytes([header[4], header[5]]);
    if protocol != 0 || !(2..=LENGTH_MAX).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a Modbus TCP frame"));
    }
    let mut pdu = vec![0u8; usize::from(length) - 1];
    stream.read_exact(&mut pdu).await?;
    Ok(Request { transaction: [header[0], header[1]], unit: header[6], pdu })
}

fn frame(request: &Request, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(7 + pdu.len());
    bytes.extend_from_slice(&request.transaction);
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(pdu.len() as u16 + 1).to_be_bytes());
    bytes.push(request.unit);
    bytes.extend_from_slice(pdu);
    bytes
}

/// The response's protocol data unit: the words, or an exception.
fn answer(units: &BTreeMap<u8, Arc<dyn Device>>, request: &Request) -> Vec<u8> {
    let function = request.pdu.first().copied().unwrap_or(0);
    let refuse = |exception: u8| vec![function | 0x80, exception];
    let Some(device) = units.get(&request.unit) else { return refuse(TARGET_SILENT) };
    if !matches!(function, READ_HOLDING | READ_INPUT) {
        return refuse(ILLEGAL_FUNCTION);
    }
    let &[_, first_high, first_low, count_high, count_low] = request.pdu.as_slice() else {
        return refuse(ILLEGAL_VALUE);
    };
    let first = u16::from_be_bytes([first_high, first_low]);
    let count = u16::from_be_bytes([count_high, count_low]);
    if !(1..=COUNT_MAX).contains(&count) {
        return refuse(ILLEGAL_VALUE);
    }
    let Some(words) = device.words(function, first, count) else { return refuse(ILLEGAL_ADDRESS) };
    let mut pdu = vec![function, (count * 2) as u8];
    pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    pdu
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten input registers that hold their own address.
    struct Ten;

    impl Device for Ten {
        fn words(&self, function: u8, first: u16, count: u16) -> Option<Vec<u16>> {
            let end = first.checked_add(count)?;
            (function == READ_INPUT && end <= 10).then(|| (first..end).collect())
        }
    }

    async fn started() -> Gateway {
        let units: BTreeMap<u8, Arc<dyn Device>> = BTreeMap::from([(1, Arc::new(Ten) as Arc<dyn Device>)]);
        Gateway::start(Behaviour::Serves(units)).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
        stream.write_all(request).await.unwrap();
        let mut header = [0u8; 6];
        stream.read_exact(&mut header).await.unwrap();
        let mut rest = vec![0u8; usize::from(u16::from_be_bytes([header[4], header[5]]))];
        stream.read_exact(&mut rest).await.unwrap();
        [header.as_slice(), &rest].concat()
    }

    #[tokio::test]
    async fn a_raw_frame_is_answered_and_faults_are_refused() {
        let gateway = started().await;
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let good = ask(&mut stream, &[0x12, 0x34, 0, 0, 0, 6, 1, 4, 0, 3, 0, 2]).await;
        assert_eq!(good, [0x12, 0x34, 0, 0, 0, 7, 1, 4, 4, 0, 3, 0, 4]);
        let cases: [(&[u8], [u8; 3]); 6] = [
            (&[0, 1, 0, 0, 0, 6, 1, 6, 0, 3, 0, 2], [1, 0x86, ILLEGAL_FUNCTION]),
            (&[0, 1, 0, 0, 0, 6, 1, 4, 0, 9, 0, 2], [1, 0x84, ILLEGAL_ADDRESS]),
            (&[0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2], [1, 0x83, ILLEGAL_ADDRESS]),
            (&[0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 0], [1, 0x84, ILLEGAL_VALUE]),
            (&[0, 1, 0, 0, 0, 3, 1, 4, 0], [1, 0x84, ILLEGAL_VALUE]),
            (&[0, 1, 0, 0, 0, 6, 9, 4, 0, 0, 0, 1], [9, 0x84, TARGET_SILENT]),
        ];
        for (request, expected) in cases {
            assert_eq!(ask(&mut stream, request).await[6..], expected, "{request:?}");
        }
    }

    #[tokio::test]
    async fn garbage_ends_its_connection_and_nothing_else() {
        let gateway = started().await;
        for garbage in [&b"GET / HTTP/1.1\r\nHost: meter\r\n\r\n"[..], &[0xFF; 400], &[0, 1, 0, 0, 0, 0, 1]] {
            let mut stream = TcpStream::connect(gateway.address).await.unwrap();
            stream.write_all(garbage).await.unwrap();
            // Closed, by an end or by a reset for the bytes it did not read.
            assert!(matches!(stream.read(&mut [0u8; 16]).await, Ok(0) | Err(_)));
        }
        // Half a frame, and then silence: another client is served meanwhile.
        let mut half = TcpStream::connect(gateway.address).await.unwrap();
        half.write_all(&[0, 1, 0]).await.unwrap();
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        assert_eq!(ask(&mut stream, &[0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1]).await[7..], [4, 2, 0, 0]);
    }

    #[tokio::test]
    async fn a_silent_gateway_takes_the_request_and_says_nothing() {
        let gateway = Gateway::start(Behaviour::Silent).await.unwrap();
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1]).await.unwrap();
        let mut byte = [0u8; 1];
        let heard = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut byte)).await;
        assert!(heard.is_err(), "the dead gateway answered");
    }
}
