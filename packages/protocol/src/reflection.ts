import { FILE_DESCRIPTORS_BASE64 } from "./gen/descriptors.js";

/**
 * What `new ReflectionService(...)` of @grpc/reflection wants: it reads only `fileDescriptorProtos`, so one entry serves
 * every file and no .proto has to be found at run time.
 */
export function reflectionPackage(): { readonly files: { readonly fileDescriptorProtos: Buffer[] } } {
  return { files: { fileDescriptorProtos: FILE_DESCRIPTORS_BASE64.map((text) => Buffer.from(text, "base64")) } };
}
