/// Grammars for what a sales line asks. Every word is in PocketSphinx's English dictionary.
///
/// With a grammar PocketSphinx makes next to no errors on clear speech; with the general model 3-12 % of the words are wrong.
package enum SpeechGrammars {
    /// Names of the grammars, as an agent file gives them.
    package static let names = ["person-name", "yes-no", "budget", "timeline", "company"]

    /// The grammar in JSGF, or nil for a name that is not known (then the general model is used).
    static func jsgf(_ name: String) -> String? {
        switch name {
        case "person-name": grammar(name, "<start> = [<hello>] [<intro>] <person> [<polite>] | <person> | <fix> | <refuse>;", personRules)
        case "yes-no": grammar(name, "<start> = <yes> | <no> | <refuse>;", yesNoRules)
        case "budget": grammar(name, "<start> = [<filler>] [<lead>] [<about>] <amount> [<per>] [<tail>] | <refuse>;", budgetRules)
        case "timeline": grammar(name, "<start> = [<filler>] [<want>] <when> [<tail>] | <refuse>;", timelineRules)
        case "company": grammar(name, "<start> = [<intro>] <company> [<tail>] | <refuse>;", companyRules)
        default: nil
        }
    }

    private static func grammar(_ name: String, _ start: String, _ rules: String) -> String {
        "#JSGF V1.0;\ngrammar \(name.replacing("-", with: "_"));\npublic \(start)\n\(rules)\n\(refusal)\n"
    }

    private static let refusal = """
        <refuse> = i would rather not say | i'd rather not say | i don't want to say | i do not want to say | none of your business \
        | i don't know | i don't know yet | not sure | i'm not sure | no idea | skip that | next question;
        """

    private static let personRules = """
        <hello> = hi | hello | hey | good morning | yes | sure;
        <intro> = my name is | i am | i'm | this is | it is | it's | the name is | call me;
        <polite> = please | thank you | thanks;
        <fix> = [no] [sorry] (my name is | it's | i said | i am) <person> | no <person>;
        <person> = <first> [<last>];
        <first> = \(first.joined(separator: " | "));
        <last> = \(last.joined(separator: " | "));
        """

    private static let first = [
        "alice", "anna", "andrew", "anthony", "barbara", "ben", "brian", "carol", "charles", "chris", "christopher", "claire", "daniel",
        "david", "deborah", "donald", "dorothy", "edward", "elizabeth", "emily", "emma", "eric", "frank", "george", "grace", "hannah",
        "helen", "henry", "jack", "jacob", "james", "jane", "janet", "jason", "jennifer", "jessica", "john", "jonathan", "joseph", "julia",
        "karen", "kate", "kevin", "laura", "linda", "lisa", "lucy", "maria", "mark", "martin", "mary", "matthew", "michael", "michelle",
        "nancy", "oliver", "olivia", "patricia", "paul", "peter", "rachel", "richard", "robert", "ruth", "samuel", "sandra", "sarah",
        "scott", "sophia", "stephen", "steven", "susan", "thomas", "timothy", "victoria", "william",
    ]
    private static let last = [
        "adams", "allen", "anderson", "baker", "brown", "campbell", "carter", "clark", "collins", "cooper", "davis", "edwards", "evans",
        "garcia", "green", "hall", "harris", "hill", "jackson", "johnson", "jones", "king", "lee", "lewis", "martin", "martinez", "miller",
        "mitchell", "moore", "morgan", "murphy", "nelson", "parker", "phillips", "roberts", "robinson", "rogers", "scott", "smith",
        "stewart", "taylor", "thomas", "thompson", "turner", "walker", "watson", "white", "williams", "wilson", "wood", "wright", "young",
    ]

    private static let yesNoRules = """
        <yes> = yes | yeah | yep | sure | of course | that is right | that's right | correct | yes please;
        <no> = no | nope | no thank you | not really | that is wrong | that's wrong;
        """

    private static let budgetRules = """
        <filler> = well | um | i think | i guess;
        <lead> = we have | we can spend | our budget is | the budget is | we could spend | i have | it is | it's | up to | we plan for;
        <about> = about | around | roughly | some | up to | between | at least | maybe | no more than;
        <amount> = /20/ <number> [<unit>] | /1/ <number> (to | and) <number> [<unit>];
        <unit> = dollars | euros | pounds;
        <per> = (per | a) (month | year | week | user);
        <tail> = for this | for the project | this year | for now | in total;
        <number> = <small> [hundred] [thousand | million] | a (hundred [thousand] | thousand | million) | half a million;
        <small> = <ones> | <teens> | <tens> [<ones>];
        <ones> = one | two | three | four | five | six | seven | eight | nine;
        <teens> = ten | eleven | twelve | thirteen | fourteen | fifteen | sixteen | seventeen | eighteen | nineteen;
        <tens> = twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety;
        """

    private static let timelineRules = """
        <filler> = well | um | i think | i guess;
        <want> = we need it | we want to start | we would like to start | we want it | i need it | it should be ready | we start | ideally;
        <when> = now | right now | right away | immediately | as soon as possible | today | tomorrow | soon \
        | (this | next) (week | month | quarter | year | spring | summer | autumn | winter) \
        | [in | within | in about | in the next] <count> (days | weeks | months | years | day | week | month | year) \
        | (in | by | before | until | by the end of) <month> | by the end of (the week | the month | the quarter | the year | this year) \
        | in the (first | second | third | fourth) quarter;
        <count> = a | one | two | three | four | five | six | seven | eight | nine | ten | twelve | a few | a couple of;
        <month> = january | february | march | april | may | june | july | august | september | october | november | december;
        <tail> = at the latest | if possible | or so | please;
        """

    private static let companyRules = """
        <intro> = i work for | i work at | i am with | i'm with | i am from | i'm from | we are | we're | it is | it's | the company is \
        | my company is | our company is | the company is called;
        <company> = <word> [<word>] [<kind>] | <word> and <word>;
        <word> = acme | alpha | apex | atlas | beacon | blue | bright | central | city | clear | crystal | delta | eagle | eastern | evergreen \
        | falcon | first | global | golden | grand | green | harbor | highland | horizon | lake | liberty | lion | maple | metro | mountain \
        | national | northern | nova | ocean | omega | orion | pacific | phoenix | pioneer | prime | red | river | silver | solar | southern \
        | star | stone | summit | sun | united | valley | vector | vertex | vista | western | smith | johnson | miller | baker | taylor;
        <kind> = logistics | industries | systems | software | foods | media | energy | electric | consulting | partners | group | bank \
        | insurance | motors | medical | health | labs | technologies | solutions | services | transport | travel | hotels | farms \
        | construction | manufacturing | brothers | and sons | company | limited | incorporated;
        <tail> = in boston | in chicago | in london | in berlin;
        """
}
