/// One entry of a conversation as language models see it; neutral between providers.
package enum ChatItem: Sendable, Hashable {
    case message(ChatMessage)
    case toolCall(ToolCall)
    case toolResult(ToolResult)

    /// The role a provider's wire format gives this item: the model's for a call, the tool's for a result.
    package var role: ChatRole {
        switch self {
        case .message(let message): message.role
        case .toolCall: .assistant
        case .toolResult: .tool
        }
    }

    /// True for a call or a result.
    package var isTool: Bool {
        switch self {
        case .message: false
        case .toolCall, .toolResult: true
        }
    }

    /// About how many tokens this costs a model; see ``TokenEstimate``. Names and arguments count, ids do not.
    package var estimatedTokens: Int {
        switch self {
        case .message(let message): TokenEstimate.tokens(of: message.text)
        case .toolCall(let call): TokenEstimate.tokens(of: call.name) + TokenEstimate.tokens(of: call.arguments)
        case .toolResult(let result): TokenEstimate.tokens(of: result.name) + TokenEstimate.tokens(of: result.content)
        }
    }
}

/// Who speaks. The raw values are the words that OpenAI-compatible interfaces use.
package enum ChatRole: String, Sendable, Hashable, CaseIterable {
    case system, user, assistant
    /// The role of a ``ToolResult``. As the role of a message: what a tool said without being asked (an update that came late);
    /// no provider takes that without a call, so send it as the user's.
    case tool
}

/// Something said or written.
package struct ChatMessage: Sendable, Hashable {
    package var role: ChatRole
    package var text: String
    /// The reply of the session (1, 2, 3 ...) that this message of the assistant belongs to; nil for everybody else's. A reply that calls tools
    /// between its words has several messages.
    package var reply: UInt32?
    /// True when the caller did not hear all that was meant to be said; `text` is then what was heard.
    package var interrupted: Bool

    package init(_ role: ChatRole, _ text: String, reply: UInt32? = nil, interrupted: Bool = false) {
        self.role = role
        self.text = text
        self.reply = reply
        self.interrupted = interrupted
    }
}

/// A tool that the model wants run.
package struct ToolCall: Sendable, Hashable {
    /// The provider's id of the call; names it within the session.
    package var id: String
    package var name: String
    /// A JSON object as the model wrote it: not checked, perhaps not even JSON.
    package var arguments: String

    package init(id: String, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }
}

/// What came of a ``ToolCall``.
package struct ToolResult: Sendable, Hashable {
    /// `ToolCall.id` of the call this answers.
    package var callID: String
    package var name: String
    /// JSON or plain text for the model to read; for an error, a sentence that says what went wrong.
    package var content: String
    package var isError: Bool
    /// True when nobody knows whether the call had its effect, e.g. because the process that ran it died. The model must then not claim either.
    package var outcomeUnknown: Bool

    package init(callID: String, name: String, content: String, isError: Bool = false, outcomeUnknown: Bool = false) {
        self.callID = callID
        self.name = name
        self.content = content
        self.isError = isError
        self.outcomeUnknown = outcomeUnknown
    }
}

/// A token count without a tokenizer, for limits and not for bills: one token per four characters, and one per character of Chinese, Japanese
/// and Korean. Within about a quarter of what the byte-pair encoders of current models count for prose; low for digits and code.
package enum TokenEstimate {
    /// Rounded up; 0 only for the empty text.
    package static func tokens(of text: String) -> Int {
        var dense = 0
        var others = 0
        for scalar in text.unicodeScalars {
            if scalar.isUnspacedCJK || scalar.isHangul { dense += 1 } else { others += 1 }
        }
        return dense + (others + 3) / 4
    }
}
