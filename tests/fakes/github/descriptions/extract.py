"""Cut GitHub's published descriptions down to what tinytown and its tests use, and pack them beside this file.

    npm pack @octokit/openapi@23.0.2 @octokit/graphql-schema@15.26.1     # and unpack both
    python -m tests.fakes.github.descriptions.extract OPENAPI_FOLDER GRAPHQL_FOLDER

Add to ``PATHS`` or ``TYPES`` what is needed more. Both packages are under the MIT licence, which is kept in
``LICENSE``. The same packages always give the same bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    NamedTypeNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)

HERE = Path(__file__).parent

#: Operations of one repository.
_REPO = """
 . /branches /branches/{branch} /branches/{branch}/protection /branches/{branch}/protection/required_status_checks
 /rules/branches/{branch} /rulesets /commits /commits/{ref} /commits/{ref}/check-runs /commits/{ref}/check-suites
 /commits/{ref}/status /commits/{ref}/statuses /commits/{commit_sha}/pulls /statuses/{sha} /compare/{basehead}
 /check-runs /check-runs/{check_run_id} /check-runs/{check_run_id}/annotations /check-runs/{check_run_id}/rerequest
 /check-suites/{check_suite_id} /check-suites/{check_suite_id}/check-runs /check-suites/{check_suite_id}/rerequest
 /pulls /pulls/{pull_number} /pulls/{pull_number}/merge /pulls/{pull_number}/merge-async /pulls/{pull_number}/commits
 /pulls/{pull_number}/merge-async/{uuid} /pulls/{pull_number}/update-branch /pulls/{pull_number}/files
 /pulls/{pull_number}/requested_reviewers /pulls/{pull_number}/reviews /pulls/{pull_number}/reviews/{review_id}
 /pulls/{pull_number}/reviews/{review_id}/comments /pulls/{pull_number}/reviews/{review_id}/dismissals
 /pulls/{pull_number}/reviews/{review_id}/events /pulls/{pull_number}/comments /pulls/comments/{comment_id}
 /pulls/{pull_number}/comments/{comment_id}/replies /issues /issues/{issue_number} /issues/{issue_number}/comments
 /issues/comments/{comment_id} /issues/{issue_number}/labels /issues/{issue_number}/labels/{name} /labels
 /issues/{issue_number}/dependencies/blocked_by /issues/{issue_number}/sub_issues /issues/{issue_number}/parent
 /actions/workflows /actions/runs /actions/runs/{run_id} /actions/runs/{run_id}/jobs /actions/runs/{run_id}/approve
 /actions/runs/{run_id}/rerun /actions/runs/{run_id}/rerun-failed-jobs /actions/runs/{run_id}/cancel
 /actions/jobs/{job_id} /actions/jobs/{job_id}/logs /actions/jobs/{job_id}/rerun
 /git/refs /git/refs/{ref} /git/ref/{ref} /git/matching-refs/{ref} /collaborators/{username}/permission
 /contents/{path} /stacks /stacks/{stack_number}
"""
PATHS = ["/user", "/users/{username}", "/rate_limit", "/graphql"] + [
    "/repos/{owner}/{repo}" + one.removeprefix(".") for one in _REPO.split()
]

#: Types of the GraphQL schema; a field of another type is left out, and so is a union's or interface's other member.
TYPES = set(
    """
 Query Mutation Node Actor Bot User Mannequin Organization EnterpriseUserAccount RateLimit PageInfo Repository Ref
 RepositoryPermission RefUpdateRule
 CheckSuiteConnection CheckSuiteFilter CheckRunConnection LabelOrder LabelOrderField
 GitObject Commit Tree Blob Tag CommitConnection CommitEdge CommitHistoryConnection PullRequestCommit
 PullRequestCommitConnection RepositoryOwner
 PullRequest PullRequestConnection PullRequestEdge PullRequestState MergeableState MergeStateStatus
 PullRequestReviewDecision PullRequestMergeMethod AutoMergeRequest PullRequestReview PullRequestReviewConnection
 PullRequestReviewState PullRequestReviewThread PullRequestReviewThreadConnection PullRequestReviewComment
 PullRequestReviewCommentConnection PullRequestReviewThreadSubjectType DiffSide PullRequestChangedFile
 PullRequestChangedFileConnection PatchStatus ReviewRequest ReviewRequestConnection RequestedReviewer Team
 StatusCheckRollup StatusCheckRollupContext StatusCheckRollupContextConnection StatusState CheckRun CheckRunState
 CheckStatusState CheckConclusionState CheckSuite CheckAnnotation CheckAnnotationConnection CheckAnnotationLevel
 StatusContext Status App WorkflowRun Workflow RequirableByPullRequest BranchProtectionRule
 Issue IssueConnection IssueState IssueStateReason IssueComment IssueCommentConnection Comment Label LabelConnection
 MergeQueueEntry MergeQueueEntryState MergeQueue CommentAuthorAssociation RequiredStatusCheckDescription
 MarkPullRequestReadyForReviewInput MarkPullRequestReadyForReviewPayload
 ConvertPullRequestToDraftInput ConvertPullRequestToDraftPayload
 ResolveReviewThreadInput ResolveReviewThreadPayload UnresolveReviewThreadInput UnresolveReviewThreadPayload
 AddPullRequestReviewThreadReplyInput AddPullRequestReviewThreadReplyPayload
 EnablePullRequestAutoMergeInput EnablePullRequestAutoMergePayload
 DisablePullRequestAutoMergeInput DisablePullRequestAutoMergePayload
 EnqueuePullRequestInput EnqueuePullRequestPayload DequeuePullRequestInput DequeuePullRequestPayload
 IssueOrder IssueOrderField OrderDirection PullRequestOrder PullRequestOrderField
 IssueCommentOrder IssueCommentOrderField
 CheckRunFilter
 CheckRunType ReactionGroup
 String Int Float Boolean ID DateTime URI GitObjectID HTML GitTimestamp Date GitSSHRemote BigInt
 """.split()
)


def main() -> None:
    openapi, graphql = (Path(name) for name in sys.argv[1:3])
    described = json.loads((openapi / "generated" / "api.github.com.json").read_text())
    _pack("openapi.json.gz", json.dumps(_cut_rest(described), separators=(",", ":")))
    _pack("schema.graphql.gz", _cut_schema((graphql / "schema.graphql").read_text()))
    licences = []
    for folder in (openapi, graphql):
        package = json.loads((folder / "package.json").read_text())
        licence = next(folder.glob("LICENSE*")).read_text().strip()
        licences.append(f"An extract of {package['name']} {package['version']}:\n\n{licence}\n")
    (HERE / "LICENSE").write_text("\n\n".join(licences))


def _pack(name: str, text: str) -> None:
    (HERE / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


# -- REST ----------------------------------------------------------------------------------------


def _cut_rest(whole: dict[str, Any]) -> dict[str, Any]:
    """The operations of ``PATHS`` with all that they refer to, without prose."""
    missing = [path for path in PATHS if path not in whole["paths"] and path != "/graphql"]
    if missing:
        raise SystemExit(f"not described: {missing}")
    kept: dict[str, Any] = {path: whole["paths"][path] for path in PATHS if path in whole["paths"]}
    components: dict[str, dict[str, Any]] = {}
    waiting: list[Any] = [kept]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            reference = one.get("$ref")
            if isinstance(reference, str):
                _, _, kind, name = reference.split("/", 3)
                if name not in components.setdefault(kind, {}):
                    components[kind][name] = whole["components"][kind][name]
                    waiting.append(components[kind][name])
            waiting += [part for name, part in one.items() if name not in {"example", "examples"}]
        elif isinstance(one, list):
            waiting += one
    ordered = {kind: dict(sorted(those.items())) for kind, those in sorted(components.items())}
    cut: dict[str, Any] = _plain({"openapi": whole["openapi"], "paths": kept, "components": ordered})
    return cut


def _plain(one: Any) -> Any:
    """Without descriptions, examples and links to pages; a property may bear these names all the same."""
    if isinstance(one, list):
        return [_plain(part) for part in one]
    if not isinstance(one, dict):
        return one
    prose = {"description", "example", "summary", "x-github", "externalDocs", "tags"}
    return {
        name: _plain(part)
        for name, part in one.items()
        if not (name in prose and (isinstance(part, str) or name.startswith(("x-", "ext", "tags", "example"))))
        and not (name == "examples" and isinstance(part, dict))
    }


# -- GraphQL -------------------------------------------------------------------------------------


def _cut_schema(text: str) -> str:
    document = parse(text, no_location=True)
    kept = [node for one in document.definitions if (node := _cut_type(one)) is not None]
    return print_ast(DocumentNode(definitions=tuple(kept)))


def _cut_type(node: Any) -> Any:
    """A definition without prose and without what is not kept; ``None`` if it is not kept itself."""
    if getattr(node, "name", None) is None or node.name.value not in TYPES:
        return None
    bare = _bare(node)
    if isinstance(node, (ObjectTypeDefinitionNode, InterfaceTypeDefinitionNode)):
        fields = tuple(
            replace(_bare(field), arguments=tuple(_bare(one) for one in field.arguments or ()))
            for field in node.fields
            if _known(field)
        )
        return replace(
            bare, fields=fields, interfaces=tuple(one for one in node.interfaces or () if one.name.value in TYPES)
        )
    if isinstance(node, UnionTypeDefinitionNode):
        return replace(bare, types=tuple(one for one in node.types if one.name.value in TYPES))
    if isinstance(node, InputObjectTypeDefinitionNode):
        return replace(bare, fields=tuple(_bare(field) for field in node.fields))
    if isinstance(node, EnumTypeDefinitionNode):
        return replace(bare, values=tuple(_bare(value) for value in node.values))
    return bare if isinstance(node, ScalarTypeDefinitionNode) else None


def _bare(node: Any) -> Any:
    return replace(node, description=None, directives=())


def _known(field: FieldDefinitionNode) -> bool:
    return all(_named(one) in TYPES for one in (field.type, *(argument.type for argument in field.arguments or ())))


def _named(node: TypeNode) -> str:
    while not isinstance(node, NamedTypeNode):
        node = node.type  # type: ignore[attr-defined]
    return node.name.value


if __name__ == "__main__":
    main()
