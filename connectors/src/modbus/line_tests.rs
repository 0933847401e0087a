//! One line without transaction ids against bytes written by hand: echo, noise, foreign frames, answers that come
//! too late, too short or for somebody else.
//!
//! Must never: sleep for real.

use std::time::Duration;

use profile::Space;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant as Tick;

use super::ask::{Answer, Ask, IdentityLevel, Page};
use super::line::{Line, Pace, Terms};
use super::owed::{OWED_FOR, Owed};
use super::rtu::frame;
use super::session::{ReadError, Session};

const TERMS: Terms = Terms { pause: Duration::ZERO, limit: Duration::from_millis(1_000), words_max: 10 };

fn words(count: u16) -> Ask {
    Ask::Words { space: Space::Holding, address: 0x10, count }
}

/// A line, and its other end.
fn line() -> (Session, DuplexStream, Owed) {
    let (ours, theirs) = tokio::io::duplex(4096);
    (Session::Line(Line::new(Box::new(ours), Pace::of(9_600))), theirs, Owed::default())
}

/// Waits for a request and then does what `says` tells: wait so many milliseconds, send these bytes.
async fn answer(there: &mut DuplexStream, says: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut request = [0; 8];
    there.read_exact(&mut request).await.unwrap();
    for (wait, bytes) in says {
        tokio::time::sleep(Duration::from_millis(*wait)).await;
        there.write_all(bytes).await.unwrap();
    }
    request.to_vec()
}

async fn asked(
    session: &mut Session,
    there: &mut DuplexStream,
    owed: &mut Owed,
    ask: Ask,
    says: &[(u64, Vec<u8>)],
) -> Result<Answer, ReadError> {
    let (answer, _) = tokio::join!(session.read(7, ask, TERMS, owed), answer(there, says));
    answer
}

fn two(high: u8) -> Vec<u8> {
    frame(7, &[3, 4, high, 2, 3, 4])
}

fn is_two(answer: &Result<Answer, ReadError>, high: u8) -> bool {
    matches!(answer, Ok(Answer::Words(words)) if *words == [u16::from(high) * 256 + 2, 0x0304])
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_found_among_echo_noise_and_the_frames_of_others() {
    let (mut session, mut there, mut owed) = line();
    let request = frame(7, &[3, 0, 0x10, 0, 2]);
    let mut early = vec![(0, request), (5, vec![0xFF, 0x00]), (60, frame(9, &[3, 4, 9, 9, 9, 9]))];
    early.push((1, frame(7, &[4, 4, 8, 8, 8, 8])));
    // In pieces, the last of which comes after the time-out: the frame had begun in time.
    early.push((900, two(1)[..4].to_vec()));
    early.push((40, two(1)[4..].to_vec()));
    let read = asked(&mut session, &mut there, &mut owed, words(2), &early).await;
    assert!(is_two(&read, 1), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_told_apart() {
    let (mut session, mut there, mut owed) = line();
    // What is owed has its own tests.
    let mut ask = async |says: Vec<(u64, Vec<u8>)>| {
        owed.clear(7);
        asked(&mut session, &mut there, &mut owed, words(2), &says).await
    };
    assert!(matches!(ask(vec![]).await, Err(ReadError::Timeout)));
    let mut bad = two(1);
    bad[3] ^= 1;
    assert!(matches!(ask(vec![(0, bad)]).await, Err(ReadError::Garbled { bytes: 9 })));
    let foreign = ask(vec![(0, frame(9, &[3, 4, 1, 2, 3, 4]))]).await;
    assert!(matches!(foreign, Err(ReadError::Protocol(_))), "{foreign:?}");
    let refused = ask(vec![(0, frame(7, &[0x83, 2]))]).await;
    assert!(matches!(refused, Err(ReadError::Exception { code: 2, sure: true })), "{refused:?}");
    assert!(matches!(ask(vec![(0, frame(7, &[3, 2, 0, 1]))]).await, Err(ReadError::Short { got: 1 })));
    // Another function of the same unit, with the right length.
    let other = ask(vec![(0, frame(7, &[4, 4, 1, 2, 3, 4]))]).await;
    assert!(matches!(other, Err(ReadError::Protocol(_))), "{other:?}");
    assert!(is_two(&ask(vec![(0, two(5))]).await, 5));
}

#[tokio::test(start_paused = true)]
async fn after_a_time_out_a_question_of_another_shape_goes_first() {
    let (mut session, mut there, mut owed) = line();
    let late = asked(&mut session, &mut there, &mut owed, words(2), &[]).await;
    assert!(matches!(late, Err(ReadError::Timeout)));
    // Asked again at once: the first request must differ in what its answer looks like. The late answer comes
    // while that is awaited, and the answer to the new question only after it.
    let four = frame(7, &[3, 8, 0, 1, 0, 2, 0, 3, 0, 4]);
    let device = async {
        let fence = answer(&mut there, &[(100, two(1)), (100, four)]).await;
        let real = answer(&mut there, &[(10, two(9))]).await;
        (fence, real)
    };
    let (read, (fence, real)) = tokio::join!(session.read(7, words(2), TERMS, &mut owed), device);
    assert_eq!((fence, real), (frame(7, &[3, 0, 0x10, 0, 4]), frame(7, &[3, 0, 0x10, 0, 2])));
    assert!(is_two(&read, 9), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_that_was_heard_makes_the_question_free_again() {
    let (mut session, mut there, mut owed) = line();
    let late = asked(&mut session, &mut there, &mut owed, words(2), &[]).await;
    assert!(matches!(late, Err(ReadError::Timeout)));
    there.write_all(&two(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Heard and thrown away before the next question, which is the same one.
    let read = asked(&mut session, &mut there, &mut owed, words(2), &[(10, two(9))]).await;
    assert!(is_two(&read, 9), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_meter_that_refuses_other_shapes_is_read_again_too() {
    let (mut session, mut there, mut owed) = line();
    let late = asked(&mut session, &mut there, &mut owed, words(2), &[]).await;
    assert!(matches!(late, Err(ReadError::Timeout)));
    let device = async {
        // It is not known which of the two questions is refused; the second one stays owed.
        answer(&mut there, &[(10, frame(7, &[0x83, 3]))]).await;
        answer(&mut there, &[(10, two(9))]).await
    };
    let (read, real) = tokio::join!(session.read(7, words(2), TERMS, &mut owed), device);
    assert!(is_two(&read, 9) && real == frame(7, &[3, 0, 0x10, 0, 2]), "{read:?}");
    assert!(!owed.forbids(7, words(4).shape(), Tick::now()));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_gives_up_late_settles_nothing() {
    let (mut session, mut there, mut owed) = line();
    let late = asked(&mut session, &mut there, &mut owed, words(2), &[]).await;
    assert!(matches!(late, Err(ReadError::Timeout)));
    // While a question of another shape is under way the gateway says that it gave up on the first one. The answer
    // to the first one comes after all, while it is asked again.
    let gave_up = [(10, frame(7, &[0x83, 0x0B]))];
    let read = asked(&mut session, &mut there, &mut owed, words(2), &gave_up).await;
    assert!(matches!(read, Err(ReadError::Exception { code: 0x0B, .. })), "{read:?}");
    assert!(owed.forbids(7, words(2).shape(), Tick::now()), "its answer may still come");
    let six = frame(7, &[3, 12, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]);
    let device = async {
        let fence = answer(&mut there, &[(10, two(1)), (10, six)]).await;
        let real = answer(&mut there, &[(10, two(9))]).await;
        (fence, real)
    };
    let (read, (fence, real)) = tokio::join!(session.read(7, words(2), TERMS, &mut owed), device);
    assert_eq!((fence, real), (frame(7, &[3, 0, 0x10, 0, 6]), frame(7, &[3, 0, 0x10, 0, 2])));
    assert!(is_two(&read, 9), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn when_no_shape_is_left_the_unit_is_left_alone_until_nothing_can_come() {
    let (mut session, mut there, mut owed) = line();
    let terms = Terms { words_max: 1, ..TERMS };
    let silent = session.read(7, words(1), terms, &mut owed).await;
    assert!(matches!(silent, Err(ReadError::Timeout)));
    let mut request = [0; 8];
    there.read_exact(&mut request).await.unwrap();
    let begun = Tick::now();
    assert!(matches!(session.read(7, words(1), terms, &mut owed).await, Err(ReadError::Owing)));
    assert_eq!(begun.elapsed(), Duration::ZERO, "nothing was sent, so nothing is waited for");
    tokio::time::sleep(OWED_FOR).await;
    let says = [(10, frame(7, &[3, 2, 0, 5]))];
    let (read, _) = tokio::join!(session.read(7, words(1), terms, &mut owed), answer(&mut there, &says));
    assert!(matches!(read, Ok(Answer::Words(words)) if words == [5]));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_never_silent_is_told() {
    let (mut session, mut there, mut owed) = line();
    let babble = async {
        loop {
            if there.write_all(&frame(9, &[3, 2, 0, 1])).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let read = async { session.read(7, words(2), TERMS, &mut owed).await };
    tokio::select! {
        () = babble => unreachable!("it never ends"),
        read = read => assert!(matches!(read, Err(ReadError::Protocol(says)) if says.contains("never silent"))),
    }
}

#[tokio::test(start_paused = true)]
async fn an_identification_is_read_and_a_broken_one_is_not() {
    let (mut session, mut there, mut owed) = line();
    let ask = Ask::Identity { level: IdentityLevel::Basic, first: 0 };
    let mut device = async |pdu: &[u8]| {
        let pdu = pdu.to_vec();
        let answer = async {
            let mut request = [0; 7];
            there.read_exact(&mut request).await.unwrap();
            assert_eq!(request[..5], [7, 0x2B, 0x0E, 1, 0]);
            there.write_all(&frame(7, &pdu)).await.unwrap();
        };
        let (read, ()) = tokio::join!(session.read(7, ask, TERMS, &mut owed), answer);
        read
    };
    let good = device(&[0x2B, 0x0E, 1, 1, 0, 0, 1, 0, 2, b'A', b'b']).await;
    let page = Page { objects: vec![(0, b"Ab".to_vec())], next: None };
    assert!(matches!(good, Ok(Answer::Identity(read)) if read == page));
    // Of another type: no identification, whatever its length.
    let other = device(&[0x2B, 0x0D, 1, 1, 0, 0, 1, 0, 2, b'A', b'b']).await;
    assert!(matches!(other, Err(ReadError::Protocol(_))), "{other:?}");
    assert!(matches!(device(&[0xAB, 1]).await, Err(ReadError::Exception { code: 1, sure: true })));
}
