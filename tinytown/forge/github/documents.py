"""Every GraphQL document that is sent to GitHub. A test holds them against GitHub's own schema.

REST is used where it can say the same: it is counted apart, and an unchanged answer costs nothing.
"""

from __future__ import annotations

from typing import Final

#: Entries of one page of a list inside a pull request.
PAGE: Final = 100
#: Threads of one page, each with the newest of its comments.
THREADS_PAGE: Final = 50

_CONTEXTS = """
fragment Contexts on StatusCheckRollupContextConnection {
  totalCount
  pageInfo { hasNextPage endCursor }
  nodes {
    __typename
    ... on CheckRun {
      databaseId name status conclusion startedAt completedAt permalink title summary
      checkSuite {
        app { slug databaseId }
        workflowRun { databaseId event }
      }
    }
    ... on StatusContext {
      context state description targetUrl createdAt
      creator { __typename login }
    }
  }
}
"""

_THREADS = """
fragment Threads on PullRequestReviewThreadConnection {
  totalCount
  pageInfo { hasNextPage endCursor }
  nodes {
    id isResolved isOutdated path line
    resolvedBy { login }
    comments(last: 50) {
      nodes { id url body createdAt viewerDidAuthor author { __typename login } }
    }
  }
}
"""

#: Several pull requests as they are now, with all that judges them.
OBSERVE: Final = f"""
query Observe($ids: [ID!]!) {{
  rateLimit {{ cost remaining resetAt }}
  viewer {{ login }}
  nodes(ids: $ids) {{
    __typename
    ... on PullRequest {{
      id number state isDraft updatedAt body
      author {{ __typename login }}
      headRefName headRefOid baseRefName
      baseRef {{ target {{ oid }} }}
      merged mergeable mergeStateStatus
      mergeCommit {{ oid }}
      potentialMergeCommit {{
        oid
        status {{ contexts {{ context state description targetUrl createdAt creator {{ __typename login }} }} }}
      }}
      commits(last: 1) {{
        nodes {{
          commit {{
            oid
            checkSuites(first: {PAGE}) {{
              totalCount
              nodes {{
                databaseId status conclusion createdAt
                app {{ slug databaseId }}
                workflowRun {{ databaseId event url workflow {{ name }} }}
              }}
            }}
            statusCheckRollup {{ contexts(first: {PAGE}) {{ ...Contexts }} }}
          }}
        }}
      }}
      reviews(last: {PAGE}) {{
        nodes {{
          id url state body submittedAt authorCanPushToRepository
          author {{ __typename login }}
          commit {{ oid }}
        }}
      }}
      reviewRequests(first: {PAGE}) {{
        nodes {{
          requestedReviewer {{
            __typename
            ... on User {{ login }}
            ... on Bot {{ login }}
            ... on Team {{ slug }}
          }}
        }}
      }}
      reviewThreads(first: {THREADS_PAGE}) {{ ...Threads }}
      comments(last: {PAGE}) {{
        nodes {{ id url body createdAt viewerDidAuthor author {{ __typename login }} }}
      }}
    }}
  }}
}}
{_CONTEXTS}{_THREADS}"""

#: Further checks and statuses of a pull request's head.
MORE_CONTEXTS: Final = f"""
query MoreContexts($id: ID!, $after: String!) {{
  rateLimit {{ cost remaining resetAt }}
  node(id: $id) {{
    ... on PullRequest {{
      headRefOid
      commits(last: 1) {{
        nodes {{ commit {{ oid statusCheckRollup {{ contexts(first: {PAGE}, after: $after) {{ ...Contexts }} }} }} }}
      }}
    }}
  }}
}}
{_CONTEXTS}"""

#: Further threads of a pull request.
MORE_THREADS: Final = f"""
query MoreThreads($id: ID!, $after: String!) {{
  rateLimit {{ cost remaining resetAt }}
  node(id: $id) {{
    ... on PullRequest {{ headRefOid reviewThreads(first: {THREADS_PAGE}, after: $after) {{ ...Threads }} }}
  }}
}}
{_THREADS}"""

#: One thread with its newest comments.
THREAD: Final = """
query Thread($id: ID!) {
  node(id: $id) {
    ... on PullRequestReviewThread {
      id isResolved viewerCanReply viewerCanResolve
      comments(last: 50) { nodes { id body viewerDidAuthor } }
    }
  }
}
"""

REPLY: Final = """
mutation Reply($thread: ID!, $body: String!) {
  addPullRequestReviewThreadReply(input: {pullRequestReviewThreadId: $thread, body: $body}) { comment { id } }
}
"""

RESOLVE: Final = """
mutation Resolve($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { id isResolved } }
}
"""

READY: Final = """
mutation Ready($id: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { id isDraft } }
}
"""

#: All of them, by name.
ALL: Final = {
    "OBSERVE": OBSERVE,
    "MORE_CONTEXTS": MORE_CONTEXTS,
    "MORE_THREADS": MORE_THREADS,
    "THREAD": THREAD,
    "REPLY": REPLY,
    "RESOLVE": RESOLVE,
    "READY": READY,
}
