"""The GraphQL API: GitHub's own schema, carried out by graphql-core over the same state as REST."""
