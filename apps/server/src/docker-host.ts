/** Inside a container the developer's own services are on the host: dtm rewrites the first of each with IS_DOCKER set (protocol.md 3.2). */
export function toDockerHost(text: string): string {
  return text.replace("localhost", "host.docker.internal").replace("127.0.0.1", "host.docker.internal");
}
