import Testing

@testable import Conversation

@Suite struct SpeechTextTests {
    private func stream(_ text: String, _ options: SpeechText.Options, chunk: Int) -> String {
        var stream = SpeechText(options: options)
        return chunks(text, chunk).map { stream.append($0) }.joined() + stream.finish()
    }

    private let markdownOnly = SpeechText.Options(stripsEmoji: false, normalizesWhitespace: false)

    static let stripped: [(String, String)] = [
        ("Hi **Frankie**!", "Hi Frankie!"), ("Press (**1**) to confirm.", "Press (1) to confirm."),
        ("**_mixed_** here.", "mixed here."),
        ("这是**很重要**的文本。", "这是很重要的文本。"), ("이것은 **중요**합니다.", "이것은 중요합니다."), ("*one* word", "one word"),
        ("***both*** now", "both now"),
        ("an _underscored_ word", "an underscored word"), ("__strong__ start", "strong start"),
        ("~~gone~~ text", "gone text"),
        ("use `swift build` now", "use swift build now"), ("a ``b ` c`` d", "a b ` c d"),
        ("[the docs](https://a.b/c_d_e)", "the docs"),
        ("see [**bold** link](http://x.y \"t\").", "see bold link."), ("[ref][1] text", "ref text"),
        ("[a (b)](http://x/(y)) z", "a (b) z"),
        ("![a cat](cat.png)sat", "a cat sat"), ("# Title", "Title"), ("###### Deep\ntext", "Deep\ntext"),
        ("- one\n- two", "one\ntwo"),
        ("* one\n* two", "one\ntwo"), ("+ one\n  + two", "one\ntwo"), ("• one", "one"),
        ("> quoted\n> more", "quoted\nmore"), (">> twice", "twice"),
        ("> - **deep**", "deep"), ("- [ ] open\n- [x] done", "open\ndone"), ("*a **b** c*", "a b c"),
        ("***a** b*", "a b"), ("**a *b***", "a b"),
        ("\\*not bold\\*", "*not bold*"), ("**two words** and **more**", "two words and more"),
        ("**`code`** bold", "code bold"),
        ("“**quoted**”", "“quoted”"), ("**bold** 5 * 3", "bold 5 * 3"), ("**第一**章", "第一章"),
        ("**Wait!** Go.", "Wait! Go."),
        ("1. **First**: do", "1. First: do"),
    ]

    static let kept: [String] = [
        "2 * 3 = 6", "x**2 + y**2 = z**2", "Use *.py files", "Use *.py and *.txt files", "__dunder_method__ stays",
        "**bold***italic*", "****quad****",
        "unterminated ***open", "变量_名_称和_其他_的", "snake_case_name here", "a*b*c", "5 > 3 and 2 < 4",
        "#hashtag is no title", "1. first\n2. second",
        "wait --- what?", "unterminated `code", "[not a link] here", "an array[0] (1) is [", "~5 minutes", "-5 degrees",
        "C:\\path", "*args and **kwargs",
        "price * quantity * 2", "<break time=\"1s\"/>", "Really!", "a_ b_ c", "    # indented", "    - indented",
        "issue #5 is open", "--flag first",
        "** spaced **", "it's 5*", "![broken](link",
    ]

    static let rules: [(String, String)] = [
        ("before\n---\nafter", "before\n\nafter"), ("*****", ""), ("* * *", ""), ("___\nx", "\nx"),
        ("Title\n===\ntext", "Title\n\ntext"),
        ("```swift\nlet x = 1\n```\nDone.", "let x = 1\nDone."), ("~~~\n**raw** # kept\n~~~", "**raw** # kept\n"),
        ("```\nopen *end*", "open *end*"), ("a\n```\n`` in\n```\nb", "a\n`` in\nb"), ("- - x", "x"), ("---", ""),
        ("--", "--"), ("#", ""),
        ("a\n\nb", "a\n\nb"), ("```inline``` code", "inline code"),
    ]

    @Test(arguments: stripped + rules) func marksGo(_ row: (String, String)) {
        for size in chunkSizes { #expect(stream(row.0, markdownOnly, chunk: size) == row.1, "chunks of \(size)") }
    }

    @Test(arguments: kept) func whatIsNoMarkStays(_ text: String) {
        for size in chunkSizes { #expect(stream(text, markdownOnly, chunk: size) == text, "chunks of \(size)") }
    }

    static let emoji: [(String, String)] = [
        ("Hi 😀 there", "Hi there"), ("Family 👨‍👩‍👧‍👦!", "Family!"), ("Flags 🇩🇪🇫🇷 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿.", "Flags and."),
        ("Wave 👋🏽 now", "Wave now"), ("Press 1️⃣ or #️⃣", "Press 1 or #"),
        ("I ❤️ it ✅", "I it"), ("☀ sun", "sun"), ("© 2024 ™ → ok", "© 2024 ™ → ok"), ("3 ÷ 4 ½", "3 ÷ 4 ½"),
        ("नमस्\u{200D}ते", "नमस्\u{200D}ते"),
        ("Quoi ? Oui !", "Quoi ? Oui !"),
    ]

    @Test(arguments: emoji) func emojiGo(_ row: (String, String)) {
        for size in chunkSizes { #expect(stream(row.0, .init(), chunk: size) == row.1) }
    }

    @Test func whitespaceIsNormalized() {
        let text = "\n  a \t b\u{A0}c  \r\n  d\n\n\n\ne\u{200B}f \n"
        for size in chunkSizes { #expect(stream(text, .init(), chunk: size) == "a b c\nd\n\nef") }
    }

    @Test func whatCannotBeSpokenIsNothing() {
        for text in ["", "  ", "...", "---", "😀", "**", "\n\n", "!?"] {
            #expect(SpeechText.prepare(text) == nil, "\(text)")
        }
        #expect(SpeechText.prepare("5") == "5")
        #expect(SpeechText.prepare("%") == "%")
        #expect(SpeechText.prepare("你") == "你")
    }

    static let replacements: [([String: String], String, String)] = [
        (["LiveKit": "live kit"], "livekit and LIVEKIT, LiveKits", "live kit and live kit, LiveKits"),
        (
            ["New": "old", "New York": "NYC", "New York City": "the city"], "new new york New York City new york c",
            "old NYC the city NYC c"
        ),
        (["a": "b", "b": "c"], "a b", "b c"),
        (["C++": "see plus plus", ".NET": "dot net"], "C++ or .NET. xC++", "see plus plus or dot net. xC++"),
        (["a.b": "x"], "a.b acb", "x acb"),
        (["SQL": "sequel"], "SQL", "sequel"),
        (["GbR": "G b R"], "die GbR, eine GbRs", "die G b R, eine GbRs"),
        (["重要": "じゅうよう"], "很重要的", "很じゅうよう的"),
        (["": "x"], "abc", "abc"),
    ]

    @Test(arguments: replacements.indices) func wholeWordsAreReplaced(_ index: Int) {
        let (rules, text, expected) = Self.replacements[index]
        for size in chunkSizes { #expect(stream(text, .init(replacements: rules), chunk: size) == expected) }
    }

    @Test func caseCountsOnRequest() {
        let options = SpeechText.Options(replacements: ["US": "U S"], replacementsMatchCase: true)
        #expect(SpeechText.prepare("US and us", options: options) == "U S and us")
    }

    @Test func onlyAPossibleBeginningOfAKeyIsHeldBack() {
        var stream = SpeechText(options: .init(replacements: ["LiveKit": "live kit"]))
        #expect(stream.append("visit Live") == "visit ")
        #expect(stream.append("Kit") == "")
        #expect(stream.append(" now") == "live kit now")
    }

    @Test func emphasisWithoutAPartnerDoesNotHoldSpeechBackForever() {
        var stream = SpeechText()
        let text = "*open " + String(repeating: "word ", count: 45)
        let first = stream.append(text)
        #expect(first.hasPrefix("*open word word"))
        let second = stream.append("on\n")
        #expect(second.hasSuffix("on"))
    }

    @Test(arguments: 0..<200) func chunksMakeNoDifference(seed: UInt64) {
        var random = TestRandom(seed: seed)
        let pieces = [
            "word", "*", "**", "***", "_", "__", "`", "```", "~~", "[", "](", ")", "![", "\\", "#", "# ", "- ", "> ",
            "---", "\n", "\n\n", " ", "  ", "😀", "👩‍💻",
            "1️⃣", "你好", "New", "York", "1. ", "|", "    ", "\t", "x", "中",
        ]
        let text = (0..<80).map { _ in pieces[random.next(below: pieces.count)] }.joined()
        let options = SpeechText.Options(replacements: ["New York": "NY", "word": "term", "x": "ex"])
        let whole = stream(text, options, chunk: 1000)
        for size in chunkSizes { #expect(stream(text, options, chunk: size) == whole) }
    }
}
