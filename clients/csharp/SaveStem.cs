// Separates a song and writes its vocals as raw float32 samples: dotnet run -- http://127.0.0.1:8000 song.mp3 vocals.f32
using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Stemwire.V1;

internal static class SaveStem
{
    // Bytes per message.
    private const int ChunkBytes = 256 << 10;

    private static async Task<int> Main(string[] arguments)
    {
        if (arguments.Length != 3)
        {
            Console.Error.WriteLine("usage: SaveStem SERVER SONG FILE");
            return 2;
        }
        using (var channel = GrpcChannel.ForAddress(arguments[0]))
        using (var song = File.OpenRead(arguments[1]))
        using (var vocals = File.Create(arguments[2]))
        using (var call = new SeparationService.SeparationServiceClient(channel).Separate())
        {
            var sending = Send(call.RequestStream, song);
            try
            {
                while (await call.ResponseStream.MoveNext(CancellationToken.None))
                {
                    var answer = call.ResponseStream.Current;
                    if (answer.MessageCase == SeparateResponse.MessageOneofCase.Stem)
                    {
                        answer.Stem.Pcm.WriteTo(vocals);
                    }
                    else if (answer.MessageCase == SeparateResponse.MessageOneofCase.Done)
                    {
                        Console.WriteLine("session " + answer.Done.SessionId + ": " + answer.Done.State);
                    }
                }
                await sending;
                return 0;
            }
            catch (RpcException error)
            {
                Console.Error.WriteLine("error: " + error.Status.Detail);
                return 1;
            }
        }
    }

    // Sends the settings, the song and its length. Without `Finish` the server treats the upload as interrupted.
    private static async Task Send(IClientStreamWriter<SeparateRequest> requests, Stream song)
    {
        var config = new SeparationConfig { RequestId = Guid.NewGuid().ToString() };
        config.Stems.Add("vocals");
        await requests.WriteAsync(new SeparateRequest { Config = config });
        var buffer = new byte[ChunkBytes];
        ulong total = 0;
        int count;
        while ((count = await song.ReadAsync(buffer, 0, buffer.Length)) > 0)
        {
            await requests.WriteAsync(new SeparateRequest { Chunk = ByteString.CopyFrom(buffer, 0, count) });
            total += (ulong)count;
        }
        await requests.WriteAsync(new SeparateRequest { Finish = new Finish { TotalBytes = total } });
        await requests.CompleteAsync();
    }
}
