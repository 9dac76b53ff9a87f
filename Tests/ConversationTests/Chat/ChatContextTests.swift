import Testing

@testable import Conversation

@Suite struct ChatContextTests {
    private func message(_ role: ChatRole, _ text: String) -> ChatItem { .message(ChatMessage(role, text)) }
    private func call(_ id: String) -> ChatItem { .toolCall(ToolCall(id: id, name: "look", arguments: "{}")) }
    private func result(_ id: String) -> ChatItem { .toolResult(ToolResult(callID: id, name: "look", content: "ok")) }

    @Test func truncationIsNoOpUnderTheLimit() {
        var context = ChatContext([message(.user, "a"), message(.assistant, "b")])
        context.truncate(maxItems: 2)
        #expect(context.items.count == 2)
    }

    @Test func truncationKeepsTheLastItems() {
        var context = ChatContext([
            message(.user, "a"), message(.assistant, "b"), message(.user, "c"), message(.assistant, "d"),
        ])
        context.truncate(maxItems: 2)
        #expect(context.items == [message(.user, "c"), message(.assistant, "d")])
    }

    @Test func truncationPutsLeadingInstructionsBackInFront() {
        var context = ChatContext([
            message(.system, "s"), message(.user, "a"), message(.assistant, "b"), message(.user, "c"),
        ])
        context.truncate(maxItems: 2)
        #expect(context.items == [message(.system, "s"), message(.assistant, "b"), message(.user, "c")])
        context.truncate(maxItems: 3)
        #expect(context.items.count == 3, "no duplicate when it is inside already")
        context.truncate(maxItems: 1, keepInstructions: false)
        #expect(context.items == [message(.user, "c")])
    }

    @Test func truncationKeepsOnlyTheFirstInstructions() {
        var context = ChatContext([
            message(.system, "one"), message(.system, "two"), message(.user, "a"), message(.user, "b"),
        ])
        context.truncate(maxItems: 1)
        #expect(context.items == [message(.system, "one"), message(.user, "b")])
    }

    @Test func truncationDropsLeadingToolItemsAndOrphanResults() {
        var context = ChatContext([
            message(.user, "a"), call("1"), call("2"), result("1"), message(.user, "b"), result("2"),
            message(.assistant, "c"),
        ])
        context.truncate(maxItems: 5)
        #expect(context.items == [message(.user, "b"), message(.assistant, "c")])
    }

    @Test func truncationToNothingKeepsInstructionsAlone() {
        var context = ChatContext([message(.system, "s"), message(.user, "a")])
        context.truncate(maxItems: 0)
        #expect(context.items == [message(.system, "s")])
    }

    @Test func tokenTruncationNeverSplitsACallFromItsResult() {
        let filler = String(repeating: "word", count: 10)
        let items = [
            message(.system, "s"), message(.user, filler), call("1"), message(.user, filler), result("1"),
            message(.assistant, filler),
            message(.user, filler), message(.assistant, filler), message(.user, "now"),
        ]
        for limit in 0...80 {
            var context = ChatContext(items)
            let fits = context.truncate(maxTokens: limit)
            let calls = context.items.contains(call("1"))
            #expect(calls == context.items.contains(result("1")))
            #expect(context.instructions == "s")
            #expect(context.items.last == message(.user, "now"))
            #expect(context.items.count < 2 || !context.items[1].isTool)
            #expect(fits == (context.estimatedTokens <= limit))
        }
    }

    @Test func tokenTruncationDropsNoMoreThanNeeded() {
        let filler = String(repeating: "word", count: 10)
        var context = ChatContext([message(.user, filler), message(.assistant, filler), message(.user, filler)])
        #expect(context.truncate(maxTokens: 29) == true)
        #expect(context.items.count == 2)
    }

    @Test func tokenTruncationKeepsTheTurnBeingAnsweredEvenAboveTheLimit() {
        var context = ChatContext([message(.user, "a"), message(.user, "question"), call("1"), result("1")])
        #expect(context.truncate(maxTokens: 1) == false)
        #expect(context.items == [message(.user, "question"), call("1"), result("1")])
    }

    @Test func anIdUsedAgainBelongsToTheNewestCall() {
        var context = ChatContext([
            message(.user, "a"), call("0"), result("0"), message(.user, "b"), call("0"), result("0"),
            message(.user, "c"), call("0"),
        ])
        #expect(context.openCalls.map(\.id) == ["0"])
        context.truncate(maxTokens: 8)
        #expect(context.items == [message(.user, "b"), call("0"), result("0"), message(.user, "c"), call("0")])
    }

    @Test func tokensAreEstimatedByFourCharactersOrOneOfCJK() {
        #expect(TokenEstimate.tokens(of: "") == 0)
        #expect(TokenEstimate.tokens(of: "abcde") == 2)
        #expect(TokenEstimate.tokens(of: "你好") == 2)
        #expect(TokenEstimate.tokens(of: "중요") == 2)
        #expect(TokenEstimate.tokens(of: "你好 abc") == 3)
    }

    @Test func unheardTextLeavesTheContext() {
        var context = ChatContext([message(.user, "hi")])
        context.append(ChatMessage(.assistant, "We open at nine. We close at five.", reply: 4))
        #expect(context.truncateToHeard(reply: 4, heard: "We open at nine. We ") == true)
        #expect(
            context.items.last
                == .message(ChatMessage(.assistant, "We open at nine. We", reply: 4, interrupted: true)))
    }

    @Test func aReplyHeardToItsEndIsNotInterrupted() {
        var context = ChatContext()
        context.append(ChatMessage(.assistant, "Hi **there**!", reply: 1))
        #expect(context.truncateToHeard(reply: 1, heard: "Hi there!") == false)
        #expect(context.truncateToHeard(reply: 2, heard: "") == false)
        #expect(context.items == [.message(ChatMessage(.assistant, "Hi **there**!", reply: 1))])
        context.append(ChatMessage(.assistant, "See [the page](https://example.com/page).", reply: 2))
        #expect(context.truncateToHeard(reply: 2, heard: "See the page.") == false)
        #expect(context.truncateToHeard(reply: 2, heard: "See the") == true)
    }

    @Test func aReplyOfWhichNothingWasHeardIsRemovedButItsToolsStay() {
        var context = ChatContext([message(.user, "time?"), call("1"), result("1")])
        context.append(ChatMessage(.assistant, "It is noon.", reply: 1))
        #expect(context.truncateToHeard(reply: 1, heard: "  ") == true)
        #expect(context.items == [message(.user, "time?"), call("1"), result("1")])
    }

    @Test func aReplyWithToolsBetweenItsWordsIsCutAcrossItsMessages() {
        var context = ChatContext()
        context.append(ChatMessage(.assistant, "One moment.", reply: 1))
        context.append(ToolCall(id: "1", name: "look", arguments: "{}"))
        context.append(ToolResult(callID: "1", name: "look", content: "ok"))
        context.append(ChatMessage(.assistant, "It is noon in Berlin.", reply: 1))
        var early = context
        #expect(context.truncateToHeard(reply: 1, heard: "One moment. It is") == true)
        #expect(context.items.count == 4)
        #expect(context.items[0] == .message(ChatMessage(.assistant, "One moment.", reply: 1)))
        #expect(context.items[3] == .message(ChatMessage(.assistant, "It is", reply: 1, interrupted: true)))
        #expect(early.truncateToHeard(reply: 1, heard: "One") == true)
        #expect(
            early.items == [
                .message(ChatMessage(.assistant, "One", reply: 1, interrupted: true)), call("1"), result("1"),
            ])
    }

    @Test func instructionsAreReplacedInPlace() {
        var context = ChatContext([message(.user, "a")])
        context.setInstructions("one")
        context.setInstructions("two")
        #expect(context.items == [message(.system, "two"), message(.user, "a")])
    }
}
