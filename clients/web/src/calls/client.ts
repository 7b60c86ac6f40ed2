/** The gRPC client of this page's server, over grpc-web. */
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { SeparationService } from "stemwire/proto";
import { toProblem } from "./problem";
import { token, tokenWanted } from "./token";

const withToken: Interceptor = (next) => async (request) => {
  if (token !== "") request.header.set("authorization", `Bearer ${token}`);
  try {
    return await next(request);
  } catch (error) {
    if (toProblem(error).reason === "TOKEN_MISSING") tokenWanted.value = true;
    throw error;
  }
};

export const client = createClient(
  SeparationService,
  createGrpcWebTransport({ baseUrl: new URL(".", location.href).href, interceptors: [withToken] }),
);
