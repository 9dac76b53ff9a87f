import Audio
import SessionLog
import SwiftProtobuf
import Synchronization
import Testing

struct MemoryJournalTests {
    @Test func `sequences go on where the folded log ended`() {
        let journal = MemoryJournal(fence: 5, firstSequence: 8)
        #expect(journal.append(.dtmf(.with { $0.digits = "1" }), position: .milliseconds(20), leg: 1).sequence == 8)
        let second = journal.append(.dtmf(.with { $0.digits = "2" }), position: .milliseconds(40), leg: 1)
        #expect(second.id == Event.ID(fence: 5, sequence: 9))
        #expect(second.position == 640)
    }

    @Test func `whoever waits for an event is told when it is stored, and only then`() {
        let journal = MemoryJournal(holdsBack: true)
        let told = Mutex<[UInt64]>([])
        for _ in 1...3 {
            let sequence = journal.append(.dtmf(.init()), position: .zero, leg: 0).sequence
            journal.whenStored(sequence) { told.withLock { $0.append(sequence) } }
        }
        #expect(told.withLock { $0 }.isEmpty)
        journal.store(through: 2)
        #expect(told.withLock { $0 } == [1, 2])
        journal.whenStored(1) { told.withLock { $0.append(1) } }
        #expect(told.withLock { $0 } == [1, 2, 1])
    }

    @Test func `a lost session never counts as stored`() {
        let journal = MemoryJournal(holdsBack: true)
        let outcomes = Mutex<[StorageOutcome]>([])
        journal.append(.dtmf(.init()), position: .zero, leg: 0)
        journal.whenSettled(1) { outcome in outcomes.withLock { $0.append(outcome) } }
        journal.whenStored(1) { Issue.record("a lost event was called stored") }
        journal.lose()
        #expect(outcomes.withLock { $0 } == [.lost])
    }
}
