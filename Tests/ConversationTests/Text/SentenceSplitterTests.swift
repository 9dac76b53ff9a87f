import Testing

@testable import Conversation

/// Cuts a text into chunks of `size` characters.
func chunks(_ text: String, _ size: Int) -> [String] {
    var chunks: [String] = []
    var rest = text[...]
    while !rest.isEmpty {
        chunks.append(String(rest.prefix(size)))
        rest = rest.dropFirst(size)
    }
    return chunks
}

let chunkSizes = [1, 2, 3, 5, 7, 11, 50, 1000]

@Suite struct SentenceSplitterTests {
    private func split(_ text: String, minimum: Int = 1, maximum: Int = 250, chunk: Int = 1000) -> [String] {
        var splitter = SentenceSplitter(
            options: .init(minimumLength: minimum, firstMinimumLength: minimum, maximumLength: maximum))
        return chunks(text, chunk).flatMap { splitter.append($0) } + splitter.finish()
    }

    static let rows: [(String, [String])] = [
        // What the peers split too.
        ("The price is $3.50. That is cheap.", ["The price is $3.50.", "That is cheap."]),
        ("Visit example.com for details. Thanks!", ["Visit example.com for details.", "Thanks!"]),
        ("192.168.0.1 is the address. Use it.", ["192.168.0.1 is the address.", "Use it."]),
        ("Hello... are you there? Yes.", ["Hello... are you there?", "Yes."]),
        ("U.S.A. is a country. It is big.", ["U.S.A. is a country.", "It is big."]),
        ("Is it 3.14? Yes! It is.", ["Is it 3.14?", "Yes!", "It is."]),
        (#"He said "Stop." Then he left."#, [#"He said "Stop.""#, "Then he left."]),
        ("e.g. this one. i.e. that.", ["e.g. this one.", "i.e. that."]),
        ("Acme Inc. is big. Acme Ltd. too.", ["Acme Inc. is big.", "Acme Ltd. too."]),
        ("مرحبا بك. كيف حالك؟ أنا بخير.", ["مرحبا بك.", "كيف حالك؟", "أنا بخير."]),
        ("آپ کیسے ہیں؟ میں ٹھیک ہوں۔ شکریہ۔", ["آپ کیسے ہیں؟", "میں ٹھیک ہوں۔", "شکریہ۔"]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
        // Where they fail.
        ("Dr. Smith arrived at 5 p.m. He was late.", ["Dr. Smith arrived at 5 p.m.", "He was late."]),
        ("J. R. R. Tolkien wrote it. Great book.", ["J. R. R. Tolkien wrote it.", "Great book."]),
        // Abbreviations.
        ("Meet me at 5 p.m. Eastern time. Bring it.", ["Meet me at 5 p.m. Eastern time.", "Bring it."]),
        ("We open at 9 a.m. on Mondays. See you.", ["We open at 9 a.m. on Mondays.", "See you."]),
        ("I work at Acme Inc. We sell anvils.", ["I work at Acme Inc.", "We sell anvils."]),
        ("The U.S. Army came. It left.", ["The U.S. Army came.", "It left."]),
        ("He lives in the U.S. She does not.", ["He lives in the U.S.", "She does not."]),
        ("Apples, pears, etc. The rest is later.", ["Apples, pears, etc.", "The rest is later."]),
        ("St. Louis is on Main St. The bus goes there.", ["St. Louis is on Main St.", "The bus goes there."]),
        ("See No. 5 please. No. That is wrong.", ["See No. 5 please.", "No.", "That is wrong."]),
        ("Mr. and Mrs. Jones vs. Prof. Lee. Fine.", ["Mr. and Mrs. Jones vs. Prof. Lee.", "Fine."]),
        ("She has a Ph.D. She earned it.", ["She has a Ph.D.", "She earned it."]),
        ("It is on Sunset Blvd. in town. Ok.", ["It is on Sunset Blvd. in town.", "Ok."]),
        ("This is plan B. We can do it.", ["This is plan B.", "We can do it."]),
        ("Take vitamin C. A lot of it.", ["Take vitamin C.", "A lot of it."]),
        ("George W. Bush spoke. We heard.", ["George W. Bush spoke.", "We heard."]),
        ("Ask our sales rep. He knows.", ["Ask our sales rep.", "He knows."]),
        ("Fruit (e.g. apples) is good. Eat it.", ["Fruit (e.g. apples) is good.", "Eat it."]),
        ("Fruit (apples etc.). Eat it.", ["Fruit (apples etc.).", "Eat it."]),
        // Numbers, versions, addresses.
        ("Version 2.0.1 is out. Get v3.1.", ["Version 2.0.1 is out.", "Get v3.1."]),
        ("It rose by 3. Then it fell.", ["It rose by 3.", "Then it fell."]),
        ("Mail to a.b@example.co.uk. Thanks.", ["Mail to a.b@example.co.uk.", "Thanks."]),
        ("See https://x.io/a.b?c=d.e!f&g=1. Done.", ["See https://x.io/a.b?c=d.e!f&g=1.", "Done."]),
        ("Open main.c. Edit it.", ["Open main.c.", "Edit it."]),
        ("1. Wash it. 2. Rinse it.", ["1. Wash it.", "2. Rinse it."]),
        // Several stops, quotes, brackets.
        ("What?! No way!! Really...", ["What?!", "No way!!", "Really..."]),
        ("Well… maybe. Wait… What is that?", ["Well… maybe.", "Wait…", "What is that?"]),
        (#""Stop!" he cried. "Why?""#, [#""Stop!" he cried."#, #""Why?""#]),
        ("(It rained.) We stayed.", ["(It rained.)", "We stayed."]),
        ("He asked “Why?” She left.", ["He asked “Why?”", "She left."]),
        ("« Quoi ? » dit-il. Rien.", ["« Quoi ? » dit-il.", "Rien."]),
        ("« Quoi ? » Il partit.", ["« Quoi ? »", "Il partit."]),
        ("¿Qué? ¡No! Bien.", ["¿Qué?", "¡No!", "Bien."]),
        ("Great! 😀 See you.", ["Great!", "😀 See you."]),
        ("Great!😀 See you.", ["Great!😀", "See you."]),
        // Without spaces.
        ("这是第一句。这是第二句！真的吗？", ["这是第一句。", "这是第二句！", "真的吗？"]),
        ("「はい。」と彼は言った。終わり。", ["「はい。」と彼は言った。", "終わり。"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("中文3.5倍。好", ["中文3.5倍。", "好"]),
        // Lines.
        ("Para 1.\n\n\n\nPara 2.", ["Para 1.", "Para 2."]),
        ("Para 1.\n \n \nPara 2.", ["Para 1.", "Para 2."]),
        ("\n\nA heading\n\nand a text", ["A heading", "and a text"]),
        ("\n\n\n", []),
        ("", []),
        ("We have:\n- apples\n- pears\nAnything else?", ["We have:", "- apples", "- pears", "Anything else?"]),
        ("Mr.\n\nEnd", ["Mr.", "End"]),
        (
            "This line of prose was wrapped by hand at about seventy columns\nand goes on here. Yes.",
            ["This line of prose was wrapped by hand at about seventy columns\nand goes on here.", "Yes."]
        ),
    ]

    @Test(arguments: rows) func splitsAlike(_ row: (String, [String])) {
        for size in chunkSizes {
            #expect(split(row.0, chunk: size) == row.1, "chunks of \(size)")
        }
    }

    @Test func theMixedTextOfThePeersGivesTenSentences() {
        let text =
            "Hi! LiveKit is a platform for live audio and video applications and services. R.T.C stands for Real-Time Communication... "
            + "again R.T.C. Mr. Theo is testing the sentence tokenizer. This is a test. Another test. A short sentence. "
            + "A longer sentence that is longer than the previous sentence. f(x) = x * 2.54 + 42. Hey! Hi! Hello! This is a sentence. "
            + "这是一个中文句子。 これは日本語の文章です。 你好！ LiveKit是一个用于音频和视频的服务的平台。 "
            + "This is a sentence contains   consecutive spaces."
        let expected = [
            "Hi! LiveKit is a platform for live audio and video applications and services.",
            "R.T.C stands for Real-Time Communication... again R.T.C.",
            "Mr. Theo is testing the sentence tokenizer.",
            "This is a test. Another test.",
            "A short sentence. A longer sentence that is longer than the previous sentence.",
            "f(x) = x * 2.54 + 42.",
            "Hey! Hi! Hello! This is a sentence.",
            "这是一个中文句子。 これは日本語の文章です。",
            "你好！ LiveKit是一个用于音频和视频的服务的平台。",
            "This is a sentence contains   consecutive spaces.",
        ]
        for size in chunkSizes + [4] { #expect(split(text, minimum: 20, chunk: size) == expected) }
    }

    @Test func aSentenceIsOutAtTheWhiteSpaceBehindAnOrdinaryWord() {
        var splitter = SentenceSplitter(options: .init(minimumLength: 1, firstMinimumLength: 1))
        #expect(splitter.append("All is well.") == [])
        #expect(splitter.append(" ") == ["All is well."])
        #expect(splitter.append("At 5 p.m. ") == [])
        #expect(splitter.append("He ") == ["At 5 p.m."])
    }

    @Test func theFirstSentenceMayBeShorter() {
        var splitter = SentenceSplitter(options: .init(minimumLength: 20, firstMinimumLength: 5))
        #expect(
            splitter.append("Sure! Go on. That is quite enough for me. Bye.") == [
                "Sure!", "Go on. That is quite enough for me.",
            ])
        #expect(splitter.finish() == ["Bye."])
        #expect(splitter.append("Again! And") == ["Again!"], "the next reply has a first sentence too")
    }

    @Test func aRunOnIsCutAfterAClauseElseBetweenWordsElseAnywhere() {
        #expect(
            split("one two three, four five six seven eight", maximum: 30) == [
                "one two three,", "four five six seven eight",
            ])
        #expect(split("one two three four five six", maximum: 12) == ["one two", "three four", "five six"])
        #expect(split("aaaaaaaaaaaa", maximum: 5) == ["aaaaa", "aaaaa", "aa"])
        #expect(split("一二三四五六", maximum: 5) == ["一二", "三四", "五六"])
        #expect(split("1,000,000,000,000", maximum: 10).first == "1,000,000,")
    }

    @Test func aStallGivesWhatMayBeSpoken() {
        func stalled(_ text: String) -> String? {
            var splitter = SentenceSplitter(options: .init(minimumLength: 20, firstMinimumLength: 8))
            _ = splitter.append(text)
            return splitter.flushAfterStall()
        }
        #expect(stalled("I can help with that.") == "I can help with that.")
        #expect(stalled("Sure, let me look at") == "Sure,")
        #expect(stalled("Sure,") == "Sure,")
        #expect(stalled("Hi! Let") == "Hi!")
        #expect(stalled("Let me look that up for yo") == "Let me look that up for")
        #expect(stalled("I will ask Dr.") == "I will ask", "never behind a title")
        #expect(stalled("It costs about 3.") == "It costs about", "perhaps 3.50")
        #expect(stalled("It costs about 3,") == "It costs about", "perhaps 3,500")
        #expect(stalled("Let") == nil)
        #expect(stalled("") == nil)
    }

    @Test func theRestComesAfterAStall() {
        var splitter = SentenceSplitter(options: .init(minimumLength: 1, firstMinimumLength: 1))
        _ = splitter.append("Sure, let me")
        #expect(splitter.flushAfterStall() == "Sure,")
        #expect(splitter.append(" look. It is") == ["let me look."])
        #expect(splitter.finish() == ["It is"])
    }

    @Test(arguments: 0..<200) func nothingIsLostWhateverTheTextAndChunks(seed: UInt64) {
        var random = TestRandom(seed: seed)
        let pieces = [
            "word", "Dr.", "p.m.", "He", "3.14", "1.", "...", "…", "?!", "。", "你好", "「", "」", "\"", "'", ")", "(", ", ",
            "\n", "\n\n", " ", "  ",
            "J.", "U.S.", "http://a.b", "😀", "👨‍👩‍👧", "e\u{301}", "।", "؟", "«", "»", "- ", "aaaaaaaaaaaaaaaaaaaaaaaa", ";",
            "—", "\t", "\r\n",
        ]
        let text = (0..<60).map { _ in pieces[random.next(below: pieces.count)] }.joined(
            separator: random.next(below: 2) == 0 ? " " : "")
        let maximum = 20 + random.next(below: 60)
        let whole = split(text, minimum: 10, maximum: maximum)
        func dense(_ text: String) -> [Unicode.Scalar] { text.unicodeScalars.filter { !$0.properties.isWhitespace } }
        #expect(dense(whole.joined()) == dense(text))
        #expect(whole.allSatisfy { !$0.isEmpty && $0.unicodeScalars.count <= maximum })
        for size in chunkSizes { #expect(split(text, minimum: 10, maximum: maximum, chunk: size) == whole) }
    }
}

/// A seeded generator (SplitMix64), so that a failure can be repeated.
struct TestRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ (value >> 31)) % UInt64(limit))
    }
}
