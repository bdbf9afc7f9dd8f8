//! Texts between engine and exchange, on wires that may treat them badly.

use super::faults::{Fault, Handling, Passage, member};
use super::{EXTERNAL, Fate, LATENCY_NS, PRIVATE, PUBLIC, Said, SimVenue};
use crate::base::time::Nanos;
use crate::exchange::Out;

impl SimVenue {
    pub(super) fn lasts(&self, fault: Fault) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.lasts(fault, self.now).is_some())
    }

    fn note(&mut self, said: Said) {
        self.tape.iter_mut().for_each(|tape| tape.push(said.clone()));
    }

    fn said(&self, by_engine: bool, arrived: bool, text: &str) -> Said {
        Said { at: self.now, by_engine, arrived, forged: false, written: 0, text: text.to_owned() }
    }

    /// Brings back what is down, unless the venue cannot be reached.
    pub(super) fn mend_connections(&mut self) {
        let now = self.now;
        for (_, conn) in self.ghosts.extract_if(.., |(until, _)| *until <= now) {
            self.exchange.disconnect(conn, now, &mut self.outbox);
        }
        let unreachable = self.lasts(Fault::Unreachable);
        if unreachable {
            [PUBLIC, PRIVATE].into_iter().for_each(|place| self.wires[place].cut());
            self.faults.iter_mut().for_each(|faults| faults.hurt_private(now));
        }
        for (slot, place) in [(0, PUBLIC), (1, PRIVATE)] {
            if self.wires[place].is_up() {
                continue;
            }
            if let Some(conn) = self.connections[slot].take() {
                self.exchange.disconnect(conn, now, &mut self.outbox);
                continue;
            }
            if unreachable {
                continue;
            }
            self.connections[slot] = Some(self.exchange.connect(now));
            self.opened += 1;
            self.wires[place].connect();
            if place == PRIVATE {
                self.private_up_since = now;
            }
        }
        if !self.wires[EXTERNAL].is_up() {
            self.wires[EXTERNAL].connect();
        }
    }

    /// Hands a text to one of the engine's wires, heard at a moment on the venue's clock.
    pub(super) fn hand(&self, place: usize, due: Nanos, text: &str) {
        self.wires[place].deliver(due.shifted(self.skew_ns), text.as_bytes());
    }

    /// Texts of the exchange to the engine.
    pub(super) fn deliver(&mut self) {
        let mut outbox = std::mem::take(&mut self.outbox);
        for out in outbox.drain(..) {
            match out {
                Out::Text { conn, text } => {
                    if let Some(slot) = self.connections.iter().position(|known| *known == Some(conn)) {
                        self.tell(slot, &text);
                    }
                }
                Out::Close { conn } => {
                    if let Some(slot) = self.connections.iter().position(|known| *known == Some(conn)) {
                        self.wires[[PUBLIC, PRIVATE][slot]].cut();
                    }
                }
                Out::Http { .. } => {}
            }
        }
        self.outbox = outbox;
    }

    fn tell(&mut self, slot: usize, text: &str) {
        let private = slot == 1;
        if private && !self.muffled.is_empty() {
            let muffled = member(text, "\"id\":\"").is_some_and(|id| self.muffled.remove(id));
            if muffled {
                return;
            }
        }
        let (now, due, place) = (self.now, self.now.plus(LATENCY_NS), [PUBLIC, PRIVATE][slot]);
        let passage = match &mut self.faults {
            None => Passage::of(due, text),
            Some(faults) if private => faults.reply(now, due, text),
            Some(faults) => faults.news(now, due, text),
        };
        if private && self.tape.is_some() {
            let said = self.said(false, passage.due[0].is_some() && (passage.told || passage.text == text), text);
            self.note(said);
        }
        for due in passage.due.into_iter().flatten() {
            self.hand(place, due, &passage.text);
        }
    }

    /// True for a text of the engine that the venue receives.
    fn leaves(&mut self, place: usize, written: u64, text: &[u8]) -> bool {
        if self.stopped {
            return false;
        }
        let text = String::from_utf8_lossy(text);
        if place != PRIVATE {
            return !self.is_unheard(place, &text);
        }
        if self.is_lost(&text) {
            let said = self.said(true, false, &text);
            self.note(Said { written, ..said });
            return false;
        }
        let trapped = self.trap.as_ref().is_some_and(|(method, _)| text.contains(method.as_str()));
        let fate = if trapped { self.trap.take().map(|(_, fate)| fate) } else { None };
        self.stopped = fate.is_some();
        if fate == Some(Fate::Lost) {
            return false;
        }
        let said = self.said(true, true, &text);
        self.note(Said { written, ..said });
        true
    }

    /// Lets the faults have a text on the public connection; true if the venue does not receive it.
    fn is_unheard(&mut self, place: usize, text: &str) -> bool {
        let now = self.now;
        match self.faults.as_mut().map_or(Handling::Through, |faults| faults.subscription(now, text)) {
            Handling::Through => false,
            Handling::Lost => true,
            Handling::Answered { text, .. } => {
                self.hand(place, now.plus(2 * LATENCY_NS), &text);
                true
            }
        }
    }

    /// Lets the faults have a request; true if the venue does not receive it.
    fn is_lost(&mut self, text: &str) -> bool {
        let now = self.now;
        match self.faults.as_mut().map_or(Handling::Through, |faults| faults.request(now, text)) {
            Handling::Through => false,
            Handling::Lost => true,
            Handling::Answered { text: answer, delivered } => {
                let said = Said { forged: true, ..self.said(false, true, &answer) };
                self.note(said);
                self.hand(PRIVATE, now.plus(2 * LATENCY_NS), &answer);
                if delivered {
                    self.muffled.extend(member(text, "\"id\":\"").map(str::to_owned));
                }
                !delivered
            }
        }
    }

    /// Texts of the engine to the exchange. They travel at once; the answer takes the way back.
    pub(super) fn collect(&mut self) {
        for (slot, place) in [(0, PUBLIC), (1, PRIVATE)] {
            while let Some((written, text)) = self.wires[place].take_marked() {
                if self.leaves(place, written, &text) {
                    self.sent.update(&text);
                    if let Some(conn) = self.connections[slot] {
                        self.exchange.on_text(conn, self.now, &text, &mut self.outbox);
                    }
                }
                self.wires[place].give_back(text);
            }
        }
        while let Some(text) = self.wires[EXTERNAL].take() {
            self.wires[EXTERNAL].give_back(text);
        }
    }

    pub(super) fn external_is_silent(&self) -> bool {
        self.lasts(Fault::ExternalSilent)
    }

    /// How far the chain's clock is ahead of ours.
    pub(super) fn chain_skew_ns(&self) -> i64 {
        self.faults.as_ref().map_or(0, |faults| faults.chain_skew_ns(self.now))
    }

    pub(super) fn oracle_is_frozen(&self) -> bool {
        self.lasts(Fault::OracleFrozen)
    }
}
