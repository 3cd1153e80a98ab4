//! What takes the experimental API of Codex 0.169, and what comes of it.

/// Methods that take it (Codex 0.169), sorted.
pub const METHODS: [&str; 75] = [
    "account/bedrock/checkGovCloudRequirements",
    "account/bedrock/discover",
    "account/bedrock/setup",
    "account/gcp/setup",
    "accountSession/list",
    "accountSession/switch",
    "collaborationMode/list",
    "environment/add",
    "environment/info",
    "environment/status",
    "fuzzyFileSearch/sessionStart",
    "fuzzyFileSearch/sessionStop",
    "fuzzyFileSearch/sessionUpdate",
    "mcpServer/event/stream/start",
    "mcpServer/event/stream/stop",
    "memory/reset",
    "memory/status",
    "mock/experimentalMethod",
    "plugin/search",
    "process/kill",
    "process/resizePty",
    "process/spawn",
    "process/writeStdin",
    "project/create",
    "project/delete",
    "project/import",
    "project/list",
    "project/move",
    "project/read",
    "project/update",
    "remoteControl/client/list",
    "remoteControl/client/revoke",
    "remoteControl/disable",
    "remoteControl/enable",
    "remoteControl/pairing/start",
    "remoteControl/pairing/status",
    "remoteControl/status/read",
    "rollout/compress",
    "server/diagnostics",
    "thread/backgroundTerminals/clean",
    "thread/backgroundTerminals/list",
    "thread/backgroundTerminals/terminate",
    "thread/decrement_elicitation",
    "thread/guardianReview",
    "thread/increment_elicitation",
    "thread/items/read",
    "thread/memory/read",
    "thread/memoryMode/set",
    "thread/prediction/request",
    "thread/prepareApprovedPlan",
    "thread/queue/add",
    "thread/queue/delete",
    "thread/queue/list",
    "thread/queue/reorder",
    "thread/queue/start",
    "thread/queue/update",
    "thread/readState/update",
    "thread/realtime/appendAudio",
    "thread/realtime/appendSpeech",
    "thread/realtime/appendText",
    "thread/realtime/listVoices",
    "thread/realtime/start",
    "thread/realtime/stop",
    "thread/sample",
    "thread/sample/cancel",
    "thread/search",
    "thread/searchOccurrences",
    "thread/settings/update",
    "thread/timeline/list",
    "turn/settings/update",
    "userVerification/cancel",
    "userVerification/delete",
    "userVerification/enroll",
    "userVerification/status",
    "userVerification/verify",
];

/// Fields of other methods that take it (Codex 0.169), sorted by method.
pub const FIELDS: [(&str, &[&str]); 8] = [
    ("command/exec", &["permissionProfile"]),
    (
        "thread/fork",
        &[
            "attachToSource",
            "beforeTurnId",
            "deferGoalContinuation",
            "experimentalDisablePredictionMcp",
            "experimentalPredictionMode",
            "path",
            "permissions",
            "runtimeWorkspaceRoots",
        ],
    ),
    (
        "thread/list",
        &[
            "ancestorThreadId",
            "attachedToThreadId",
            "includeAttachedThreads",
            "parentThreadId",
            "projectId",
        ],
    ),
    ("thread/metadata/update", &["daybreakEnabled", "projectId"]),
    (
        "thread/resume",
        &[
            "history",
            "initialTurnsPage",
            "path",
            "permissions",
            "runtimeWorkspaceRoots",
        ],
    ),
    (
        "thread/start",
        &[
            "allowProviderModelFallback",
            "daybreakEnabled",
            "dynamicTools",
            "environments",
            "experimentalRawEvents",
            "historyMode",
            "mockExperimentalField",
            "multiAgentMode",
            "permissions",
            "projectId",
            "runtimeWorkspaceRoots",
            "selectedCapabilityRoots",
        ],
    ),
    (
        "turn/start",
        &[
            "additionalContext",
            "collaborationMode",
            "cyberAccessProgram",
            "environments",
            "multiAgentMode",
            "permissions",
            "responsesapiClientMetadata",
            "responsesapiClientMetadataPatch",
            "runtimeWorkspaceRoots",
        ],
    ),
    (
        "turn/steer",
        &[
            "additionalContext",
            "responsesapiClientMetadata",
            "responsesapiClientMetadataPatch",
        ],
    ),
];

/// Values below a field that take it (Codex 0.169): the method, the way to the value, and how Codex calls it. What the
/// way ends at is there and not `false`, or is that word.
pub(super) const VALUES: [(&str, &[&str], &str); 9] = [
    (
        "account/login/start",
        &["type", "amazonBedrock"],
        "account/login/start.amazonBedrock",
    ),
    (
        "account/login/start",
        &["type", "amazonBedrockAccessKeys"],
        "account/login/start.amazonBedrockAccessKeys",
    ),
    (
        "account/login/start",
        &["type", "chatgptAuthTokens"],
        "account/login/start.chatgptAuthTokens",
    ),
    ("thread/fork", &GRANULAR, GRANULAR_APPROVAL),
    (
        "thread/items/list",
        &["deferOutput", "commandExecution"],
        "thread/items/list.deferOutput.commandExecution",
    ),
    (
        "thread/items/list",
        &["deferOutput", "mcpToolCall"],
        "thread/items/list.deferOutput.mcpToolCall",
    ),
    ("thread/resume", &GRANULAR, GRANULAR_APPROVAL),
    ("thread/start", &GRANULAR, GRANULAR_APPROVAL),
    ("turn/start", &GRANULAR, GRANULAR_APPROVAL),
];

const GRANULAR: [&str; 2] = ["approvalPolicy", "granular"];
const GRANULAR_APPROVAL: &str = "askForApproval.granular";

/// Notifications that only those get who asked, by how their methods begin (Codex 0.169). The schemas don't say it: it
/// is what two hosts of one Codex were seen to get.
pub(super) const NOTIFICATIONS: [&str; 4] = [
    "thread/queue/changed",
    "thread/readState/changed",
    "thread/realtime/",
    "thread/settings/updated",
];

/// Requests of Codex's that only those get.
pub const REQUESTS: [&str; 1] = ["currentTime/read"];
/// A request of Codex's that has members which only those get.
pub(super) const APPROVAL: &str = "item/commandExecution/requestApproval";
/// Those members.
pub const OF_APPROVAL: [&str; 2] = ["additionalPermissions", "availableDecisions"];
/// A request of Codex's of which they alone get one kind.
pub(super) const ELICITATION: &str = "mcpServer/elicitation/request";
/// That kind, as its params say it.
pub const VERIFICATION: (&str, &str) = ("mode", "openai/userVerification");
