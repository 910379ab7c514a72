/** What keeps the server from starting on its database: one line that names the setting and what to do. */
export class DatabaseUnusable extends Error {
  override readonly name = "DatabaseUnusable";
}
