export { databaseUrl, type Stage, type Story, story } from "./story.js";
